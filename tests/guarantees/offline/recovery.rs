//! `countersign store recover`, killed: with a yes, and before one.

use std::fs;
use std::path::Path;

use countersign_testkit::Problem;
use countersign_testkit::service::countersign;
use serde_json::Value;

use super::folder::{Files, named, remove};
use super::set_back::{Scene, number};
use super::{Ended, How, Subject, command, says};

/// What the folders with copies are called.
const BESIDE: &str = "data.";
const ASIDE: &str = "data.lost-";
const GLANCE: &str = "data.diagnosing";

/// What happened to a store.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Loss {
    /// It was killed, and its end was torn.
    Torn,
    /// An older copy of the database was put in the place of a later one.
    Older,
    /// Its mark is gone, too.
    Unmarked,
}

pub(super) struct Recovery {
    scene: Scene,
    torn: Files,
    older: Files,
    unmarked: Files,
    /// The last commit that was acknowledged.
    last: u64,
    /// What happened in this round.
    loss: Loss,
}

impl Recovery {
    pub(super) async fn begin() -> Result<Self, Problem> {
        let mut scene = Scene::begin().await?;
        let data = scene.data();
        scene.service.stop()?;
        let older = Files::of(&data.join("database"))?;
        scene.start()?;
        scene.goes_on().await?;
        let stats = scene.service.admin(&["store", "stats"])?;
        let last = number(&stats["commits"]).ok_or("no commits")?;
        scene.service.kill()?;
        fs::write(
            data.join("mark"),
            format!("countersign mark, commit {last}\n"),
        )?;
        tear(&data.join("database"), &older)?;
        let torn = Files::of(&data)?;
        remove(&data.join("database"))?;
        older.copy_to(&data.join("database"))?;
        Ok(Self {
            torn,
            older: Files::of(&data)?,
            unmarked: Files::of(&data)?.without("mark"),
            scene,
            last,
            loss: Loss::Torn,
        })
    }

    fn prepare(&mut self, round: usize) -> Result<(), Problem> {
        self.scene.clear()?;
        for beside in named(self.scene.service.folder(), BESIDE)? {
            remove(&beside)?;
        }
        self.loss = [Loss::Torn, Loss::Older, Loss::Unmarked][round % 3];
        self.files().copy_to(&self.scene.data())?;
        fs::create_dir_all(self.scene.data().join("database/blobs"))?;
        Ok(())
    }

    fn files(&self) -> &Files {
        match self.loss {
            Loss::Torn => &self.torn,
            Loss::Older => &self.older,
            Loss::Unmarked => &self.unmarked,
        }
    }

    fn recover(&self) -> Result<Value, Problem> {
        let data = self.scene.data().display().to_string();
        let said = countersign(&["store", "recover", "--data", &data, "--yes", "--json"])?;
        Ok(serde_json::from_str(&said)?)
    }
}

/// The end of a database that a killed process left is torn, where the first of it was written since
/// an older copy was made; and a snapshot was under way.
fn tear(database: &Path, older: &Files) -> Result<(), Problem> {
    let before = older.bytes("db").ok_or("no database")?;
    let db = database.join("db");
    let mut bytes = fs::read(&db)?;
    let since = (0..bytes.len()).find(|at| bytes[*at] != before.get(*at).copied().unwrap_or(0));
    bytes[since.ok_or("nothing was written since")?] ^= 0x10;
    fs::write(&db, bytes)?;
    fs::write(
        database.join("snap.00000000000000FF.generating"),
        "half of one",
    )?;
    Ok(())
}

impl Subject for Recovery {
    const KILLS: &'static str = "kills of a recovery";
    const TURNS: usize = 2;

    fn prepare(&mut self, round: usize) -> Result<(), Problem> {
        self.prepare(round)
    }

    fn run(&mut self, how: &How) -> Result<Ended, Problem> {
        let data = self.scene.data().display().to_string();
        command(&["store", "recover", "--data", &data, "--yes"], how)
    }

    async fn ends_well(&mut self, round: usize) -> Result<(), Problem> {
        let aside = named(self.scene.service.folder(), ASIDE)?;
        for aside in &aside {
            // One that is not whole is called so.
            let is_part = aside.to_string_lossy().ends_with(".partial");
            if !is_part && Files::of(aside)? != *self.files() {
                return Err("what was put aside is not what was found".into());
            }
        }
        let mut found = None;
        let started = match round % 2 {
            0 => self.scene.start(),
            _ => Err("next: `countersign store recover`".to_owned()),
        };
        if let Err(said) = started {
            says(&said, &["next: ", "`countersign store recover`"])?;
            found = Some(Files::of(&self.scene.data())?);
            self.recover()?;
            self.scene.start()?;
        }
        let stats = self.scene.service.admin(&["store", "stats"])?;
        let commits = number(&stats["commits"]).ok_or("no commits")?;
        if commits <= self.last && self.loss != Loss::Unmarked {
            return Err(format!("commit {commits} comes again, of {}", self.last).into());
        }
        self.scene.is_set_back("STORE_RECOVERED").await?;
        let kept = named(self.scene.service.folder(), ASIDE)?;
        if !aside.iter().all(|aside| kept.contains(aside)) {
            return Err("a copy of the files was deleted".into());
        }
        let glances = named(self.scene.service.folder(), GLANCE)?;
        if !glances.is_empty() && found.is_some() {
            return Err("the copy that was looked at was left".into());
        }
        // A start that was refused opened the database, if it came before all files were aside.
        let found = found.filter(|_| round.is_multiple_of(2));
        for aside in kept {
            let files = Files::of(&aside)?;
            if files == *self.files() || Some(files) == found {
                return Ok(());
            }
        }
        Err("all files as they were found lie nowhere".into())
    }
}

/// Who does not say yes: no file is changed, whenever the command is killed.
pub(super) struct Looking(Recovery);

impl Looking {
    pub(super) async fn begin() -> Result<Self, Problem> {
        Ok(Self(Recovery::begin().await?))
    }

    fn is_as_found(&self) -> Result<(), Problem> {
        match Files::of(&self.0.scene.data())? == *self.0.files() {
            true => Ok(()),
            false => Err("a file was changed, and nobody had said yes".into()),
        }
    }
}

impl Subject for Looking {
    const KILLS: &'static str = "kills of a look at a loss";

    fn prepare(&mut self, round: usize) -> Result<(), Problem> {
        self.0.prepare(round)
    }

    fn run(&mut self, how: &How) -> Result<Ended, Problem> {
        let data = self.0.scene.data().display().to_string();
        match command(&["store", "recover", "--data", &data], how) {
            Err(said) => {
                says(&said.to_string(), &["say --yes", "nothing was changed"])?;
                Ok(Ended::Whole)
            }
            Ok(Ended::Whole) => Err("nobody was asked".into()),
            killed => killed,
        }
    }

    async fn ends_well(&mut self, _: usize) -> Result<(), Problem> {
        self.is_as_found()?;
        self.run(&How::default())?;
        self.is_as_found()?;
        match named(self.0.scene.service.folder(), BESIDE)?.is_empty() {
            true => Ok(()),
            false => Err("a copy was left".into()),
        }
    }
}
