//! Browsers, on their way through the authorization endpoint.

use countersign_issuer::Refusal;
use countersign_issuer::authorize::{RedirectTo, begin, brought, resume, returning};
use countersign_issuer::model::{ClientId, SecretHash};
use countersign_jose::sha256;

use super::World;
use super::given::parameter;

impl World {
    /// A browser that keeps `keeps` brings a request that was lodged; the handle.
    pub(crate) fn begin(&mut self, who: &str, uri: &str, keeps: &str) -> Result<String, Refusal> {
        let id = brought(uri, &self.issuer.mac_keys)?;
        let named = ClientId::parse(who).unwrap();
        let client = self.clients.get(who).map(|known| known.value.clone());
        let known = self.authorizations.get(&id).cloned();
        let browser = SecretHash::from_bytes(sha256(&[keeps.as_bytes()]));
        let decision = begin(
            &named,
            client.as_ref(),
            id,
            known.as_ref(),
            browser,
            &self.issuer,
            self.now,
        );
        let begun = self.settle(decision)?;
        Ok(begun.interaction.reveal().to_owned())
    }

    /// A browser that keeps `keeps` opens the way back.
    pub(crate) fn resume(&mut self, way_back: &str, keeps: &str) -> Result<RedirectTo, Refusal> {
        let way_back = parameter(way_back, "resume").unwrap();
        let id = returning(&way_back, &self.issuer.mac_keys)?;
        let known = self.authorizations.get(&id).cloned();
        let client = self.lodger(known.as_ref());
        let (issuer, now) = (&self.issuer, self.now);
        let keeps = Some(keeps);
        let decision = resume(id, known.as_ref(), client.as_ref(), keeps, issuer, now);
        self.settle(decision)
    }
}
