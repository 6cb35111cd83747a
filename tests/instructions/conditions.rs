//! What a count depends on besides our code. Where any of it differs, counts cannot be compared.

use std::env;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::counting;

/// The programs and the machine that counts were made with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Conditions {
    /// Compiles our code.
    pub(crate) rustc: String,
    /// Compiles the cryptographic library.
    pub(crate) cc: String,
    /// Counts; which processor it emulates is its affair.
    pub(crate) valgrind: String,
    /// Runs the benches in it.
    pub(crate) runner: String,
    /// Has malloc and memcpy.
    pub(crate) libc: String,
    /// The real processor: valgrind emulates no AVX2 where there is none, and the cryptographic
    /// library goes another way then.
    pub(crate) cpu: String,
}

impl Conditions {
    /// Those of this machine.
    pub(crate) fn here() -> Result<Self, String> {
        let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        let cc = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        Ok(Self {
            rustc: first_line(&rustc, "--version")?,
            cc: first_line(&cc, "--version")?,
            valgrind: first_line("valgrind", "--version")?,
            runner: first_line("gungraun-runner", "--version")?,
            libc: first_line("ldd", "--version")?,
            cpu: cpu(),
        })
    }

    /// What is not the same there, for people.
    pub(crate) fn difference(&self, baseline: &Self) -> Option<String> {
        let pairs = [
            (&self.rustc, &baseline.rustc),
            (&self.cc, &baseline.cc),
            (&self.valgrind, &baseline.valgrind),
            (&self.runner, &baseline.runner),
            (&self.libc, &baseline.libc),
            (&self.cpu, &baseline.cpu),
        ];
        let differences: Vec<String> = pairs
            .into_iter()
            .filter(|(here, there)| here != there)
            .map(|(here, there)| format!("here is {here:?}, the baseline was made with {there:?}"))
            .collect();
        (!differences.is_empty()).then(|| differences.join("; "))
    }
}

fn first_line(program: &str, argument: &str) -> Result<String, String> {
    let output = Command::new(program)
        .arg(argument)
        .env("PATH", counting::path())
        .output()
        .map_err(|error| {
            format!("{program} cannot be run ({error}); tests/tools/install.sh installs the tools")
        })?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .next()
        .map(str::to_owned)
        .ok_or_else(|| format!("{program} {argument} says nothing"))
}

fn cpu() -> String {
    #[cfg(target_arch = "x86_64")]
    let widest = if std::arch::is_x86_feature_detected!("avx2") {
        "avx2"
    } else {
        "without avx2"
    };
    #[cfg(not(target_arch = "x86_64"))]
    let widest = "";
    format!("{} {widest}", env::consts::ARCH).trim().to_owned()
}
