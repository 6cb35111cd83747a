//! `countersign store recover`, killed.

use std::fs;

use countersign_testkit::Problem;
use countersign_testkit::service::countersign;
use serde_json::Value;

use super::folder::{Files, named, remove};
use super::set_back::{Scene, number};
use super::{Ended, How, Subject, command, says};

/// What the folders with copies are called.
const ASIDE: &str = "data.lost-";

pub(super) struct Recovery {
    scene: Scene,
    /// The files of a store that has lost its end.
    lost: Files,
    /// The same without the mark.
    unmarked: Files,
    /// The last commit that was acknowledged.
    last: u64,
    /// Whether it is without its mark.
    without_mark: bool,
}

impl Recovery {
    /// An older copy of the database is put in the place of a later one.
    pub(super) async fn begin() -> Result<Self, Problem> {
        let mut scene = Scene::begin().await?;
        scene.service.stop()?;
        let older = Files::of(&scene.data().join("database"))?;
        scene.start()?;
        scene.goes_on().await?;
        scene.service.stop()?;
        let data = scene.data();
        let last = report(&data.display().to_string())?;
        remove(&data.join("database"))?;
        older.copy_to(&data.join("database"))?;
        fs::create_dir_all(data.join("database/blobs"))?;
        Ok(Self {
            lost: Files::of(&data)?,
            unmarked: Files::of(&data)?.without("mark"),
            scene,
            last,
            without_mark: false,
        })
    }

    fn files(&self) -> &Files {
        match self.without_mark {
            false => &self.lost,
            true => &self.unmarked,
        }
    }

    fn recover(&self) -> Result<Value, Problem> {
        let data = self.scene.data().display().to_string();
        let said = countersign(&["store", "recover", "--data", &data, "--yes", "--json"])?;
        Ok(serde_json::from_str(&said)?)
    }
}

impl Subject for Recovery {
    const KILLS: &'static str = "kills of a recovery";
    const TURNS: usize = 2;

    fn prepare(&mut self, round: usize) -> Result<(), Problem> {
        self.scene.clear()?;
        for aside in named(self.scene.service.folder(), ASIDE)? {
            remove(&aside)?;
        }
        self.without_mark = round / 2 % 2 == 1;
        self.files().copy_to(&self.scene.data())
    }

    fn run(&mut self, how: &How) -> Result<Ended, Problem> {
        let data = self.scene.data().display().to_string();
        command(&["store", "recover", "--data", &data, "--yes"], how)
    }

    async fn ends_well(&mut self, round: usize) -> Result<(), Problem> {
        let aside = named(self.scene.service.folder(), ASIDE)?;
        let started = match round % 2 {
            0 => self.scene.start(),
            _ => Err("next: `countersign store recover`".to_owned()),
        };
        if let Err(said) = started {
            says(&said, &["next: ", "`countersign store recover`"])?;
            self.recover()?;
            self.scene.start()?;
        }
        let stats = self.scene.service.admin(&["store", "stats"])?;
        let commits = number(&stats["commits"]).ok_or("no commits")?;
        if commits <= self.last && !self.without_mark {
            return Err(format!("commit {commits} comes again, of {}", self.last).into());
        }
        self.scene.is_set_back("STORE_RECOVERED").await?;
        let kept = named(self.scene.service.folder(), ASIDE)?;
        if !aside.iter().all(|aside| kept.contains(aside)) {
            return Err("a copy of the files was deleted".into());
        }
        match kept.iter().any(|aside| self.files().are_in(aside)) {
            true => Ok(()),
            false => Err("all files as they were found lie nowhere".into()),
        }
    }
}

/// The last commit of a sound store.
fn report(data: &str) -> Result<u64, Problem> {
    let said = countersign(&["store", "verify", "--data", data, "--json"])?;
    let said: Value = serde_json::from_str(&said)?;
    Ok(number(&said["last_commit"]).ok_or("no last commit")?)
}
