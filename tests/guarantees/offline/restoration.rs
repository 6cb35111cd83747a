//! `countersign store restore`, killed.

use std::fs;
use std::path::PathBuf;

use countersign_testkit::Problem;
use countersign_testkit::service::countersign;

use super::folder::{Files, holds_something, named, remove};
use super::set_back::Scene;
use super::{Ended, How, Subject, command, says};

pub(super) struct Restoration {
    scene: Scene,
    backup: PathBuf,
    /// The backup's bytes, and the files of the store that was moved away.
    backup_bytes: Vec<u8>,
    before: Files,
}

impl Restoration {
    pub(super) async fn begin() -> Result<Self, Problem> {
        let mut scene = Scene::begin().await?;
        let backup = scene.service.folder().join("copy.backup");
        let file = backup.display().to_string();
        scene.service.admin(&["store", "backup", &file])?;
        scene.goes_on().await?;
        scene.service.kill()?;
        let away = scene.service.folder().join(BEFORE);
        fs::rename(scene.data(), &away)?;
        Ok(Self {
            backup_bytes: fs::read(&backup)?,
            before: Files::of(&away)?,
            scene,
            backup,
        })
    }

    pub(super) fn scene(&mut self) -> &mut Scene {
        &mut self.scene
    }

    /// The command, to its end.
    pub(super) fn restore(&self) -> Result<(), String> {
        let (backup, data) = self.words();
        let words = ["store", "restore", &backup, "--data", &data, "--yes"];
        countersign(&words).map(drop)
    }

    /// As the refusal says: what is there is moved away and kept.
    fn move_away_and_restore(&self) -> Result<(), Problem> {
        let aside = self.scene.service.folder().join(ASIDE);
        fs::rename(self.scene.data(), &aside)?;
        let moved = Files::of(&aside)?;
        self.restore()?;
        match moved == Files::of(&aside)? {
            true => Ok(()),
            false => Err("what was moved aside is not what it was".into()),
        }
    }

    fn words(&self) -> (String, String) {
        let backup = self.backup.display().to_string();
        (backup, self.scene.data().display().to_string())
    }
}

const BEFORE: &str = "before";
const ASIDE: &str = "aside";

impl Subject for Restoration {
    const KILLS: &'static str = "kills of a restoration";
    const TURNS: usize = 2;

    fn prepare(&mut self, round: usize) -> Result<(), Problem> {
        self.scene.clear()?;
        for aside in named(self.scene.service.folder(), ASIDE)? {
            remove(&aside)?;
        }
        // It may be there, as an empty one.
        if round / 2 % 2 == 1 {
            fs::create_dir(self.scene.data())?;
        }
        Ok(())
    }

    fn run(&mut self, how: &How) -> Result<Ended, Problem> {
        let (backup, data) = self.words();
        command(
            &["store", "restore", &backup, "--data", &data, "--yes"],
            how,
        )
    }

    async fn ends_well(&mut self, round: usize) -> Result<(), Problem> {
        let has_begun = holds_something(&self.scene.data());
        if !has_begun {
            // As if the command had never been given: a start would make a new store.
            self.restore()?;
            self.scene.start()?;
        } else if round.is_multiple_of(2) {
            if let Err(said) = self.scene.start() {
                says(&said, &["not a Countersign store", "next: "])?;
                self.move_away_and_restore()?;
                self.scene.start()?;
            }
        } else {
            let said = self.restore().err();
            let said = said.ok_or("something was restored over something")?;
            says(
                &said,
                &[
                    "into a directory that is empty",
                    "next: move it away, and keep it",
                ],
            )?;
            self.move_away_and_restore()?;
            self.scene.start()?;
        }
        self.scene.is_set_back("STORE_RESTORED").await?;
        let away = self.scene.service.folder().join(BEFORE);
        if fs::read(&self.backup)? != self.backup_bytes || Files::of(&away)? != self.before {
            return Err("the backup, or what was moved away, is not what it was".into());
        }
        Ok(())
    }
}
