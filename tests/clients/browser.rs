//! `curl` as a browser: it keeps cookies by the rules of browsers, those of `__Host-` included.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign_testkit::{Problem, parts, service};
use tempfile::TempDir;

/// One browser, with a jar of its own.
pub(crate) struct Browser {
    curl: PathBuf,
    ca: PathBuf,
    folder: TempDir,
}

impl Browser {
    pub(crate) fn new(ca: &Path) -> Result<Self, Problem> {
        Ok(Self {
            curl: parts::find("curl").ok_or("curl is not installed")?,
            ca: ca.to_owned(),
            folder: tempfile::tempdir()?,
        })
    }

    /// Opens the URL, and says where it is sent from there.
    ///
    /// # Errors
    /// It is not sent anywhere.
    pub(crate) fn open(&self, url: &str) -> Result<String, Problem> {
        match self.shown(url)? {
            (came, _) if came.starts_with("303 ") && came.len() > 4 => Ok(came[4..].to_owned()),
            (came, page) => Err(format!("{url}: {came}\n{page}").into()),
        }
    }

    /// Opens the URL: the status, and what is shown.
    pub(crate) fn visit(&self, url: &str) -> Result<(String, String), Problem> {
        let (came, page) = self.shown(url)?;
        Ok((came.trim().to_owned(), page))
    }

    /// Status and where it is sent, and what is shown.
    fn shown(&self, url: &str) -> Result<(String, String), Problem> {
        let jar = self.folder.path().join("cookies");
        let mut command = Command::new(&self.curl);
        command
            .args(["--disable", "--silent", "--show-error", "--max-time", "60"])
            .arg("--cacert")
            .arg(&self.ca)
            .arg("--cookie")
            .arg(&jar)
            .arg("--cookie-jar")
            .arg(&jar)
            .args(["--write-out", "\n%{http_code} %{redirect_url}", url])
            .stdin(Stdio::null());
        let said = service::run(&mut command)?;
        let (page, came) = said.rsplit_once('\n').ok_or("curl said nothing")?;
        Ok((came.to_owned(), page.to_owned()))
    }
}
