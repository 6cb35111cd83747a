//! `docs/mtls.md` as somebody reads it who has never done it: its configuration in a file, its commands
//! one after the other, against the real binary.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use countersign_testkit::parts;

use crate::service::{binary, free_address, run, unconfigured};

const PAGE: &str = include_str!("../../docs/mtls.md");

/// What the page calls the two addresses.
const ORDINARY: &str = ":7443";
const MUTUAL: &str = ":7444";

/// Who else may take a port between the moment that it was free and the service's start.
const STARTS_MAX: usize = 5;

/// The reader: a folder, a shell, and a service as the page configures it.
struct Reader<'a> {
    folder: &'a Path,
    service: Option<Child>,
    ordinary: String,
    mutual: String,
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(service) = &mut self.service {
            // It may have ended by itself; there is nothing to do about an error.
            let _ = service.kill();
            let _ = service.wait();
        }
    }
}

pub(crate) fn its_commands_do_what_it_says(_openssl: &Path) -> Result<(), String> {
    if parts::find("curl").is_none() {
        return Err("curl is not installed".to_owned());
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut reader = Reader {
        folder: folder.path(),
        service: None,
        ordinary: String::new(),
        mutual: String::new(),
    };
    let mut tokens = 0;
    for command in commands() {
        // What comes before the service is certificates.
        if reader.service.is_none() && command.starts_with("countersign ") {
            reader.start()?;
        }
        let said = reader.does(&command)?;
        if command.starts_with("curl ") {
            tokens += 1;
            if !said.contains("\"access_token\":\"eyJ") {
                return Err(format!("no token: {command}\n{said}"));
            }
            reader.is_nobody_otherwise(&command)?;
        }
        if command.starts_with("countersign token issue") && !said.contains("access token") {
            return Err(format!("no token: {command}\n{said}"));
        }
    }
    if tokens < 2 {
        return Err(format!("only {tokens} requests were found"));
    }
    Ok(())
}

/// The commands of the page, in their order.
fn commands() -> Vec<String> {
    let mut commands = Vec::new();
    for block in fenced("console") {
        let joined = block.replace("\\\n", " ");
        let lines = joined.lines().filter_map(|line| line.strip_prefix("$ "));
        commands.extend(lines.map(str::to_owned));
    }
    commands
}

/// The blocks of this kind.
fn fenced(kind: &str) -> impl Iterator<Item = &'static str> {
    let begin = format!("```{kind}\n");
    let blocks: Vec<_> = PAGE.split(begin.as_str()).skip(1).collect();
    blocks
        .into_iter()
        .filter_map(|rest| rest.split("\n```").next())
}

impl Reader<'_> {
    fn start(&mut self) -> Result<(), String> {
        let configuration = fenced("toml").next().ok_or("it has no configuration")?;
        let mut why = String::new();
        for _ in 0..STARTS_MAX {
            self.ordinary = format!(":{}", free_address()?.port());
            self.mutual = format!(":{}", free_address()?.port());
            // The page leaves the address where it is by default.
            let listen = format!("[listen]\naddress = \"127.0.0.1{}\"\n", self.ordinary);
            let configuration = format!("{}\n{listen}", self.here(configuration));
            let file = self.folder.join("countersign.toml");
            fs::write(file, configuration).map_err(|error| error.to_string())?;
            let log = self.folder.join("log");
            let mut child = self
                .shell("exec countersign serve --config countersign.toml")?
                .stdout(Stdio::piped())
                .stderr(File::create(&log).map_err(|error| error.to_string())?)
                .spawn()
                .map_err(|error| error.to_string())?;
            let said = child.stdout.take().ok_or("it says nothing")?;
            let mut lines = BufReader::new(said).lines().map_while(Result::ok);
            let serves = lines.any(|line| line.contains("Ctrl-C"));
            self.service = Some(child);
            if serves {
                return Ok(());
            }
            why = fs::read_to_string(log).unwrap_or_default();
        }
        Err(format!("the service does not start: {why}"))
    }

    /// With the ports that are free here.
    fn here(&self, text: &str) -> String {
        text.replace(ORDINARY, &self.ordinary)
            .replace(MUTUAL, &self.mutual)
    }

    fn shell(&self, line: &str) -> Result<Command, String> {
        let binary = binary()?;
        let own = binary.parent().ok_or("it is in no folder")?.to_owned();
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([own].into_iter().chain(env::split_paths(&path)));
        let mut command = Command::new("bash");
        unconfigured(&mut command)
            .args(["-c", line])
            .current_dir(self.folder)
            .env("PATH", path.map_err(|error| error.to_string())?)
            .env("HOME", self.folder)
            .env_remove("XDG_STATE_HOME")
            .env("NO_PROXY", "localhost")
            .stdin(Stdio::null());
        Ok(command)
    }

    /// What comes of a command; a request is sent once more with the nonce that is asked for, as
    /// another page says.
    fn does(&self, command: &str) -> Result<String, String> {
        let command = self.here(command);
        let command = command.replace("curl ", "curl --silent --show-error --include ");
        let said = run(&mut self.shell(&command)?)?;
        let nonce = said
            .lines()
            .find_map(|line| line.strip_prefix("dpop-nonce: "));
        match nonce.filter(|_| said.contains("use_dpop_nonce")) {
            Some(nonce) => {
                let proof = format!("countersign proof --nonce {} ", nonce.trim());
                let again = command.replace("countersign proof ", &proof);
                run(&mut self.shell(&again)?)
            }
            None => Ok(said),
        }
    }

    /// Without the certificate, and where none is asked for.
    fn is_nobody_otherwise(&self, command: &str) -> Result<(), String> {
        let words: Vec<_> = command.split(" --cert ").collect();
        let [before, after] = words.as_slice() else {
            return Err(format!("no certificate: {command}"));
        };
        let rest = after.split_once(" --header").ok_or("no proof")?.1;
        let bare = format!("{before} --header{rest}");
        for command in [bare, command.replace(MUTUAL, ORDINARY)] {
            let said = self.does(&command)?;
            if !said.contains("\"invalid_client\"") {
                return Err(format!("somebody: {command}\n{said}"));
            }
        }
        Ok(())
    }
}
