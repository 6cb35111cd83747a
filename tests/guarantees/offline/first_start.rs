//! The first start after a restoration, killed.

use countersign_testkit::Problem;

use super::restoration::Restoration;
use super::{Ended, How, Subject};

pub(super) struct FirstStart(Restoration);

impl FirstStart {
    pub(super) async fn begin() -> Result<Self, Problem> {
        Ok(Self(Restoration::begin().await?))
    }
}

impl Subject for FirstStart {
    const KILLS: &'static str = "kills of the first start after a restoration";

    fn prepare(&mut self, _: usize) -> Result<(), Problem> {
        self.0.scene().clear()?;
        Ok(self.0.restore()?)
    }

    fn run(&mut self, how: &How) -> Result<Ended, Problem> {
        self.0.scene().start_killed(how)
    }

    async fn ends_well(&mut self, _: usize) -> Result<(), Problem> {
        self.0.scene().start()?;
        self.0.scene().is_set_back("STORE_RESTORED").await
    }
}
