//! Browsers, on their way through the authorization endpoint.

use countersign_issuer::Refusal;
use countersign_issuer::authorize::{
    Arrived, Lodging, PushForm, RedirectTo, Return, arrive, begin, brought, resume, returning,
};
use countersign_issuer::model::{ClientId, RecordId, RedirectUri, SecretHash, State};
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

    /// A browser brings a request in plain parameters; `form` is none where something else than
    /// client and redirect URI is wrong with it.
    pub(crate) fn arrive(
        &mut self,
        who: &str,
        redirect_uri: &str,
        form: Option<&PushForm<'_, &str>>,
    ) -> Result<Arrived, Refusal> {
        let named = ClientId::parse(who).unwrap();
        let client = self.clients.get(who).map(|known| known.value.clone());
        let back = Return {
            redirect_uri: RedirectUri::parse(redirect_uri).unwrap(),
            state: State::parse("s").unwrap(),
        };
        let lodging = form.map(|form| Lodging::parse(form).unwrap());
        let id = RecordId::from_bytes(self.fresh());
        let decision = arrive(
            &named,
            client.as_ref(),
            &back,
            lodging.as_ref(),
            &self.catalogue(),
            id,
            SecretHash::from_bytes(sha256(&[b"kept"])),
            &self.issuer,
            self.now,
        );
        self.settle(decision)
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
