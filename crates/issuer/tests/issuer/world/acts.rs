//! What clients, people and operators do: each decided on what is there, and committed.

use countersign_issuer::authorize::{
    ApproveForm, Approving, Lodged, Lodging, Named, PushForm, RedirectTo, approve, deny, push,
};
use countersign_issuer::introspect::Recognised;
use countersign_issuer::model::{Authorization, Client, ClientId, FamilyId, RecordId, TokenId};
use countersign_issuer::{
    Actor, Ask, CodeForm, Decision, Found, Fresh, Issued, Known, Redemption, Refusal, Revoking,
    Rotation, Target, issue, redeem, revoke, revoke_all, rotate,
};
use countersign_jose::{Thumbprint, UnixTime};

use super::{KEY_A, World, approving, parameter, pushing, redeeming, shown};

impl World {
    pub(crate) fn issue(&mut self, who: &str, ask: &Ask) -> Result<Issued, Refusal> {
        let client = self.client(who);
        let id = TokenId::from_bytes(self.fresh());
        let (catalogue, now) = (self.catalogue(), self.now);
        let decision = issue(
            &shown(&client),
            ask,
            &catalogue,
            &self.issuer,
            KEY_A,
            id,
            now,
        );
        self.settle(decision)
    }

    pub(crate) fn push(&mut self, who: &str, form: &PushForm<'_, &str>) -> Result<Lodged, Refusal> {
        self.push_with(who, form, None)
    }

    pub(crate) fn push_with(
        &mut self,
        who: &str,
        form: &PushForm<'_, &str>,
        proof: Option<Thumbprint>,
    ) -> Result<Lodged, Refusal> {
        let lodging = Lodging::parse(form)?;
        let client = self.client(who);
        let id = RecordId::from_bytes(self.fresh());
        let (catalogue, now) = (self.catalogue(), self.now);
        let decision = push(
            &shown(&client),
            &lodging,
            &catalogue,
            &self.issuer,
            proof,
            id,
            now,
        );
        self.settle(decision)
    }

    pub(crate) fn approve(
        &mut self,
        uri: &str,
        form: &ApproveForm<'_, &str>,
    ) -> Result<RedirectTo, Refusal> {
        let to = self.approve_either(uri, form)?;
        Ok(to.expect("the browser goes somewhere"))
    }

    pub(crate) fn approve_either(
        &mut self,
        uri: &str,
        form: &ApproveForm<'_, &str>,
    ) -> Result<Option<RedirectTo>, Refusal> {
        let approving = Approving::parse(form, self.now)?;
        let named = Named::parse(uri, &self.issuer.mac_keys)?;
        let known = self.authorizations.get(&named.record).cloned();
        let client = self.lodger(known.as_ref());
        let has_namesake = approving
            .namesake()
            .is_some_and(|namesake| self.clients.contains_key(namesake.as_str()));
        let (issuer, now) = (&self.issuer, self.now);
        let decision = approve(
            named,
            known.as_ref(),
            client.as_ref(),
            &approving,
            has_namesake,
            issuer,
            now,
        );
        self.settle(decision)
    }

    pub(crate) fn deny(&mut self, uri: &str) -> Result<RedirectTo, Refusal> {
        Ok(self.deny_either(uri)?.expect("the browser goes somewhere"))
    }

    pub(crate) fn deny_either(&mut self, uri: &str) -> Result<Option<RedirectTo>, Refusal> {
        let named = Named::parse(uri, &self.issuer.mac_keys)?;
        let known = self.authorizations.get(&named.record).cloned();
        let client = self.lodger(known.as_ref());
        let decider = ClientId::parse("login").unwrap();
        let (issuer, now) = (&self.issuer, self.now);
        let decision = deny(
            named,
            known.as_ref(),
            client.as_ref(),
            &decider,
            None,
            issuer,
            now,
        );
        self.settle(decision)
    }

    pub(crate) fn lodger(&self, known: Option<&Known<Authorization>>) -> Option<Client> {
        let id = known?.value.client.as_str();
        self.clients.get(id).map(|known| known.value.clone())
    }

    /// A code for `who`, as an approval makes it.
    pub(crate) fn code(&mut self, who: &str) -> String {
        let lodged = self.push(who, &pushing()).unwrap();
        let redirect = self
            .approve(lodged.request_uri.reveal(), &approving())
            .unwrap();
        parameter(redirect.reveal(), "code").unwrap()
    }

    pub(crate) fn redeem(
        &mut self,
        who: &str,
        form: &CodeForm<'_, &str>,
        proof: Thumbprint,
    ) -> Result<Issued, Refusal> {
        let decision = self.redemption(who, form, proof)?;
        self.settle(decision)
    }

    /// What is decided on what is there now, not committed.
    pub(crate) fn redemption(
        &mut self,
        who: &str,
        form: &CodeForm<'_, &str>,
        proof: Thumbprint,
    ) -> Result<Decision<Issued>, Refusal> {
        let redemption = Redemption::parse(form, &self.issuer.mac_keys)?;
        Ok(self.redeemed(who, &redemption, proof))
    }

    pub(crate) fn redeemed(
        &mut self,
        who: &str,
        redemption: &Redemption,
        proof: Thumbprint,
    ) -> Decision<Issued> {
        let client = self.client(who);
        let fresh = Fresh {
            token: TokenId::from_bytes(self.fresh()),
            family: FamilyId::new(RecordId::from_bytes(self.fresh())),
        };
        let known = self.standing_authorization(redemption.record());
        let earlier = known
            .as_ref()
            .and_then(|known| self.family(known.value.redeemed_for()?));
        let (catalogue, issuer, now) = (self.catalogue(), &self.issuer, self.now);
        redeem(
            &shown(&client),
            redemption,
            known.as_ref(),
            earlier.as_ref(),
            &catalogue,
            issuer,
            proof,
            fresh,
            now,
        )
    }

    /// What a person's approval of all that was asked for comes to.
    pub(crate) fn grant(&mut self, who: &str) -> Issued {
        let code = self.code(who);
        self.redeem(who, &redeeming(&code), KEY_A).unwrap()
    }

    pub(crate) fn rotate(
        &mut self,
        who: &str,
        token: &str,
        scopes: &[&str],
        proof: Thumbprint,
    ) -> Result<Issued, Refusal> {
        let decision = self.rotation(who, token, scopes, proof)?;
        self.settle(decision)
    }

    /// What is decided on what is there now, not committed.
    pub(crate) fn rotation(
        &mut self,
        who: &str,
        token: &str,
        scopes: &[&str],
        proof: Thumbprint,
    ) -> Result<Decision<Issued>, Refusal> {
        let rotation = Rotation::parse(token, scopes, &[] as &[&str], "", &self.issuer.mac_keys)?;
        Ok(self.rotation_of(who, &rotation, proof))
    }

    /// The same of a request that was read.
    pub(crate) fn rotation_of(
        &mut self,
        who: &str,
        rotation: &Rotation,
        proof: Thumbprint,
    ) -> Decision<Issued> {
        let client = self.client(who);
        let id = TokenId::from_bytes(self.fresh());
        let known = self.family(rotation.family());
        let (catalogue, issuer, now) = (self.catalogue(), &self.issuer, self.now);
        rotate(
            &shown(&client),
            rotation,
            known.as_ref(),
            &catalogue,
            issuer,
            proof,
            id,
            now,
        )
    }

    pub(crate) fn revoke(&mut self, who: &str, revoking: &Revoking) -> Result<(), Refusal> {
        self.revoke_with(who, revoking, KEY_A)
    }

    pub(crate) fn revoke_with(
        &mut self,
        who: &str,
        revoking: &Revoking,
        proof: impl Into<Option<Thumbprint>>,
    ) -> Result<(), Refusal> {
        let client = self.client(who);
        let token = revoking.recognised().and_then(Recognised::token);
        let standing = self.standing(token, revoking.family());
        let decision = revoke(&shown(&client), revoking, &standing, proof.into(), self.now);
        self.settle(decision)
    }

    pub(crate) fn revoke_text(&mut self, who: &str, text: &str) -> Result<(), Refusal> {
        let revoking = Revoking::token(text, &self.published(), &self.issuer)?;
        self.revoke(who, &revoking)
    }

    /// An operator revokes.
    pub(crate) fn revoke_all(&mut self, target: &Target) -> Result<UnixTime, Refusal> {
        let found = match target {
            Target::Token(token) => Found {
                token_revoked: self.revoked.contains(token),
                ..Found::default()
            },
            Target::Family(family) => Found {
                family: self.family(*family),
                ..Found::default()
            },
            Target::Holder(holder) => Found {
                holder: self.holders.get(holder).cloned(),
                ..Found::default()
            },
        };
        let operator = Actor::Operator { uid: 0 };
        let decision = revoke_all(target, &found, &operator, self.now);
        self.settle(decision)
    }
}
