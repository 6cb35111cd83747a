//! The first start of all, which makes a store, killed.

use std::fs;

use countersign_testkit::service::{Service, Terms};
use countersign_testkit::{Desk, Problem};

use super::folder::remove;
use super::set_back::{killed, sound};
use super::{Ended, How, Subject};

pub(super) struct Founding(Service);

impl Founding {
    pub(super) fn begin() -> Result<Self, Problem> {
        Ok(Self(Service::start(&Terms::default())?))
    }
}

impl Subject for Founding {
    const KILLS: &'static str = "kills of the first start of all";

    fn prepare(&mut self, _: usize) -> Result<(), Problem> {
        self.0.kill()?;
        remove(&self.0.folder().join("data"))?;
        let key = self.0.folder().join("key");
        if key.exists() {
            fs::remove_file(key)?;
        }
        Ok(())
    }

    fn run(&mut self, how: &How) -> Result<Ended, Problem> {
        killed(&mut self.0, &Terms::default(), how)
    }

    async fn ends_well(&mut self, _: usize) -> Result<(), Problem> {
        self.0.restart(&Terms::default())?;
        let desk = Desk::open(&self.0).await?;
        let token = desk.sign_in("somebody").await?.refresh_token;
        let token = token.ok_or("no refresh token")?;
        desk.desk.token_service().rotate(&token, &[], &[]).await?;
        self.0.admin(&["audit", "verify"])?;
        self.0.kill()?;
        sound(&self.0.folder().join("data"))
    }
}
