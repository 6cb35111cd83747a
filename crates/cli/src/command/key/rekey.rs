//! `countersign key rekey`: another key-encryption key, while the service is stopped.

use std::path::PathBuf;

use clap::Args;
use countersign_client::clock::{Clock, SystemClock};
use countersign_server::{Config, IfInForce, KeyPlace, Rekeyed, rekey};

use crate::command::data::DataArgs;
use crate::command::serve::{failure, text};
use crate::confirm::confirm;
use crate::exit::Failure;
use crate::output::Output;
use crate::whole::whole;

pub(super) const EXAMPLES: &str = "\
The service must be stopped. Its keys stay the same, and so do all tokens: only
what they are encrypted under changes, in one step. A crash leaves the old
key-encryption key in force, or the new one. The old file is not removed: backups
that were made until now open with it alone. A key that is in force already is
refused as a new one, whatever it is called; --anew takes it, for a program whose
key service has a new version of its key and opens what is of the former one.

Examples:
  countersign key rekey --config /etc/countersign/countersign.toml \\
    --new-key-file /etc/countersign/kek-2
  countersign key rekey --data /var/lib/countersign/data \\
    --key-file /etc/countersign/kek \\
    --new-key-command /usr/local/bin/kms-key,eu-1
  countersign key rekey --config /etc/countersign/countersign.toml \\
    --new-key-command /usr/local/bin/kms-key,eu-1 --anew";

/// The key-encryption key to change.
#[derive(Args, Debug)]
pub(crate) struct Rekey {
    #[command(flatten)]
    data: DataArgs,

    /// The file of the old key (store.key_file)
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,

    /// The file of the new key; made if it is not there
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_any = ["new_key_command", "anew"],
        conflicts_with = "new_key_command"
    )]
    new_key_file: Option<PathBuf>,

    /// The program that has the new key, with its arguments, separated by commas
    #[arg(long, value_name = "PROGRAM,ARGUMENT…", value_delimiter = ',')]
    new_key_command: Vec<String>,

    /// Encrypt them also where the program opens what they are encrypted under: its
    /// key service has a new version of the key
    #[arg(long, requires = "new_key_command", conflicts_with = "new_key_file")]
    anew: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Rekey {
    pub(super) async fn run(self, output: &Output) -> Result<(), Failure> {
        let config = self.config()?;
        let to = match &self.new_key_file {
            Some(path) => KeyPlace::File(whole(path)),
            None => KeyPlace::Command(self.new_key_command),
        };
        let if_in_force = match self.anew {
            true => IfInForce::Anew,
            false => IfInForce::Refuse,
        };
        confirm(&question(&config, &to, if_in_force), self.yes)?;
        let rekeyed = rekey(&config, to.clone(), if_in_force, SystemClock.now())
            .await
            .map_err(|cause| failure::start(&cause))?;
        let facts = serde_json::json!({
            "keys": rekeyed.keys,
            "old_key_file": rekeyed.old_file.as_deref().map(whole),
        });
        output.value(&facts, || done(&rekeyed, &to))
    }

    fn config(&self) -> Result<Config, Failure> {
        let old = text("--key-file", self.key_file.as_ref())?;
        let old = old.map(|file| ("store.key_file".to_owned(), file));
        self.data.read(old.into_iter().collect())
    }
}

fn question(config: &Config, to: &KeyPlace, if_in_force: IfInForce) -> String {
    let data = config.store.directory.display();
    let new = match to {
        KeyPlace::File(path) if path.exists() => format!("the key in {}", path.display()),
        KeyPlace::File(path) => format!("a new key, to be made in {}", path.display()),
        KeyPlace::Credential(name) => format!("the credential {name}"),
        KeyPlace::Command(command) => {
            format!("what {} has", command.first().map_or("", String::as_str))
        }
    };
    let outcome = match if_in_force {
        IfInForce::Refuse => "; the service does not start with the old one any more",
        IfInForce::Anew => ", whether that is another key or not",
    };
    format!("this encrypts the keys in {data} under {new}{outcome}")
}

fn done(rekeyed: &Rekeyed, to: &KeyPlace) -> String {
    let mut lines = vec![format!("{} keys are encrypted anew", rekeyed.keys)];
    match to {
        KeyPlace::File(path) => lines.push(format!(
            "\nnext: in the configuration\n  [store]\n  key_file = {:?}\nand no key_command or \
             key_credential. Or, where systemd hands the key over, in the unit\n  \
             LoadCredential=kek:{}\nunder the name that it had there. The service's account must be \
             able to read its data still: after root, chown. Then start the service. Back the file \
             up, apart from the data",
            path.display().to_string(),
            path.display(),
        )),
        KeyPlace::Credential(name) => lines.push(format!(
            "\nnext: in the configuration\n  [store]\n  key_credential = {name:?}"
        )),
        KeyPlace::Command(command) => lines.push(format!(
            "\nnext: in the configuration\n  [store]\n  key_command = [{:?}, …]\nwith the arguments \
             that you gave, if any, and no key_file or key_credential; then start the service",
            // Its arguments may hold what nobody should read.
            command.first().map_or("", String::as_str)
        )),
    }
    if let Some(old) = &rekeyed.old_file {
        lines.push(format!(
            "\n{} is left in place. Backups that were made until now open with it alone; if it \
             leaked, see docs/runbooks/compromised-key.md",
            whole(old).display()
        ));
    }
    lines.join("\n")
}
