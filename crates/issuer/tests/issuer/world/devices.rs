//! Devices: what they ask, and what a person who typed their code does.

use countersign_issuer::authorize::{AuthorizedDevice, Found, authorize_device, found, user_code};
use countersign_issuer::model::{RecordId, UserCode};
use countersign_issuer::{Ask, Decision, DeviceCodeForm, Issued, Redemption, Refusal};
use countersign_jose::Thumbprint;

use super::{KEY_A, World, approving, ask, shown};

impl World {
    /// `checkout` on a device, bound to `KEY_A`.
    pub(crate) fn device(&mut self) -> AuthorizedDevice {
        self.authorize_device("checkout", &ask(&[], &[]), Some(KEY_A))
            .unwrap()
    }

    pub(crate) fn authorize_device(
        &mut self,
        who: &str,
        ask: &Ask,
        proof: Option<Thumbprint>,
    ) -> Result<AuthorizedDevice, Refusal> {
        let code = UserCode::from_random(self.fresh());
        let decision = self.device_decision(who, ask, proof, &code);
        self.settle(decision)
    }

    /// What is decided on what is there now, not committed.
    pub(crate) fn device_decision(
        &mut self,
        who: &str,
        ask: &Ask,
        proof: Option<Thumbprint>,
        code: &UserCode,
    ) -> Decision<AuthorizedDevice> {
        let client = self.client(who);
        let id = RecordId::from_bytes(self.fresh());
        let (catalogue, now) = (self.catalogue(), self.now);
        let client = shown(&client);
        authorize_device(&client, ask, &catalogue, &self.issuer, proof, id, code, now)
    }

    pub(crate) fn find(&self, typed: &str) -> Result<Found, Refusal> {
        let names = self.issuer.mac_keys.user_code_names(&user_code(typed)?);
        let id = names.iter().find_map(|name| self.user_codes.get(name));
        let known = id.and_then(|id| self.authorizations.get(id));
        let client = self.lodger(known);
        found(
            id.copied(),
            known.map(|known| &known.value),
            client.as_ref(),
            &self.catalogue(),
            &self.issuer,
            self.now,
        )
    }

    /// Finds the request of the device, as the person at the login application does.
    pub(crate) fn uri_of(&self, device: &AuthorizedDevice) -> String {
        let found = self.find(&device.user_code.reveal()).unwrap();
        found.request_uri.reveal().to_owned()
    }

    pub(crate) fn approve_device(&mut self, device: &AuthorizedDevice) {
        let uri = self.uri_of(device);
        assert!(self.approve_either(&uri, &approving()).unwrap().is_none());
    }

    pub(crate) fn poll(
        &mut self,
        who: &str,
        device_code: &str,
        proof: Thumbprint,
    ) -> Result<Issued, Refusal> {
        self.poll_for(who, device_code, &[], proof)
    }

    pub(crate) fn poll_for(
        &mut self,
        who: &str,
        device_code: &str,
        scopes: &[&str],
        proof: Thumbprint,
    ) -> Result<Issued, Refusal> {
        let decision = self.polled(who, device_code, scopes, proof)?;
        self.settle(decision)
    }

    /// What is decided on what is there now, not committed.
    pub(crate) fn polled(
        &mut self,
        who: &str,
        device_code: &str,
        scopes: &[&str],
        proof: Thumbprint,
    ) -> Result<Decision<Issued>, Refusal> {
        let form = DeviceCodeForm {
            device_code,
            scopes,
            resources: &[],
            authorization_details: "",
        };
        let redemption = Redemption::parse_device(&form, &self.issuer.mac_keys)?;
        Ok(self.redeemed(who, &redemption, proof))
    }
}
