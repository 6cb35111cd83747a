//! Devices that redeem a code which a person approved: however it is cut off, the code leads to one
//! family of tokens and not to two, and to none only where nobody was told of one.

use std::mem;
use std::sync::Arc;

use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::authorization::v1::{
    ApproveAuthorizationRequest, AuthorizeDeviceRequest, FindAuthorizationRequest,
};
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::{
    Builder, Countersign, Credential, GuardedChannel, Issued, Secret, TokenError,
};
use countersign_testkit::service::Service;
use countersign_testkit::{Problem, setup};
use parking_lot::Mutex;

use super::families::{gone, token};
use super::told::{AuditLog, Told};
use super::{Acknowledged, Loop};
use crate::counts;
use crate::stage::done;

/// A device without a browser, and who lets it in.
pub(crate) struct Room {
    tv: Countersign,
    login: Countersign,
    issuer: String,
}

pub(super) struct Devices {
    room: Room,
    acknowledged: Arc<Acknowledged>,
    /// Those that asked in the last round.
    asked: Mutex<Vec<Device>>,
    /// How many codes were spent in all.
    spent: Mutex<usize>,
}

struct Device {
    code: Secret,
    /// What was acknowledged.
    given: Option<Issued>,
}

impl Room {
    /// Registers what it takes.
    pub(crate) async fn open(service: &Service) -> Result<Self, Problem> {
        let url = service.url();
        let reads = format!("{}=orders.read", setup::RESOURCE);
        let tv = ["client", "add", "tv", "--auth", "none"];
        let may = ["--grant", "device-code,refresh-token", "--allow", &reads];
        service.admin(&[&tv[..], &may].concat())?;
        let decides = format!("{url}=authorizations.decide");
        let login = setup::client(service, "doorman", &["--allow", &decides])?;
        let credential = Credential::ClientSecret(login.secret.into());
        let login = Builder::new(&url).client(&login.client_id, credential);
        let tv = Builder::new(&url).client("tv", Credential::Public);
        Ok(Self {
            tv: tv.connect().await?,
            login: login.connect().await?,
            issuer: url,
        })
    }

    /// A device waits, and a person lets it in.
    async fn approved(&self) -> Result<Secret, Problem> {
        let tokens = self.tv.token_service();
        let device = AuthorizationServiceClient::new(tokens.channel())
            .authorize_device(AuthorizeDeviceRequest {
                client: Some(tokens.client().authentication(SystemClock.now())?),
                ..AuthorizeDeviceRequest::default()
            })
            .await?
            .into_inner();
        self.lets_in(&device.user_code).await?;
        Ok(device.device_code.into())
    }

    /// A person lets in the device that shows this code.
    pub(crate) async fn lets_in(&self, user_code: &str) -> Result<(), Problem> {
        let found = self
            .deciding()
            .await?
            .find_authorization(FindAuthorizationRequest {
                user_code: user_code.to_owned(),
                subject: "somebody".to_owned(),
                source: String::new(),
            })
            .await?
            .into_inner();
        self.approves(&found.request_uri).await.map(drop)
    }

    /// A person approves: where their browser goes next.
    pub(crate) async fn approves(&self, request_uri: &str) -> Result<String, Problem> {
        let approved = self
            .deciding()
            .await?
            .approve_authorization(ApproveAuthorizationRequest {
                request_uri: request_uri.to_owned(),
                subject: "somebody".to_owned(),
                ..ApproveAuthorizationRequest::default()
            })
            .await?;
        Ok(approved.into_inner().redirect_to)
    }

    async fn deciding(&self) -> Result<AuthorizationServiceClient<GuardedChannel>, Problem> {
        let deciding = self.login.channel(&self.issuer);
        let deciding = deciding.scopes(["authorizations.decide"]).connect().await?;
        Ok(AuthorizationServiceClient::new(deciding))
    }
}

impl Devices {
    /// Registers what it takes, and lets one device in.
    pub(super) async fn begin(
        service: &Service,
        acknowledged: Arc<Acknowledged>,
    ) -> Result<Self, Problem> {
        let devices = Self {
            room: Room::open(service).await?,
            acknowledged,
            asked: Mutex::default(),
            spent: Mutex::new(0),
        };
        let code = devices.room.approved().await?;
        let tokens = devices.room.tv.token_service();
        let given = Some(tokens.redeem_device(&code).await?);
        devices.asked.lock().push(Device { code, given });
        Ok(devices)
    }

    /// Lets devices in, one after the other, until there is no answer.
    pub(super) async fn let_in(&self) -> Loop {
        let tokens = self.room.tv.token_service();
        loop {
            // Nothing is promised to who has not redeemed yet.
            let Ok(code) = self.room.approved().await else {
                return Ok(());
            };
            let sent = Acknowledged::sending();
            let given = match tokens.redeem_device(&code).await {
                Ok(issued) => {
                    self.acknowledged.add(sent);
                    let family = issued.family_id.clone().ok_or("no name of the family")?;
                    let told = Told::token("CODE_REDEEMED", &family, &issued)?;
                    self.acknowledged.tells(told);
                    Some(issued)
                }
                Err(error) => {
                    gone(&error, "a device code that was approved")?;
                    None
                }
            };
            let goes_on = given.is_some();
            self.asked.lock().push(Device { code, given });
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Whether each code led to what was acknowledged, and to nothing else. A code whose answer was
    /// lost is asked for again: it is good, or it is spent.
    pub(super) async fn hold(&self) -> Result<(), Problem> {
        let tokens = self.room.tv.token_service();
        let asked = mem::take(&mut *self.asked.lock());
        let count = asked.len();
        for Device { code, given } in asked {
            let issued = match given {
                Some(issued) => Some(issued),
                None => done(tokens.redeem_device(&code).await)?,
            };
            let newest = match issued {
                Some(issued) => {
                    let next = tokens.rotate(&token(&issued)?, &[], &[]).await;
                    let dead =
                        |error: TokenError| format!("what a device was given is dead: {error}");
                    Some(token(&next.map_err(dead)?)?)
                }
                None => None,
            };
            // It is spent by now, and whoever brings it again ends what it led to.
            if done(tokens.redeem_device(&code).await)?.is_some() {
                return Err("a device code was redeemed twice".into());
            }
            if let Some(newest) = newest
                && done(tokens.rotate(&newest, &[], &[]).await)?.is_some()
            {
                return Err("what a device code led to lives on after its reuse".into());
            }
        }
        *self.spent.lock() += count;
        counts::add("device codes looked at after a crash", count);
        Ok(())
    }

    /// Whether as many families came of device codes as codes were spent, acknowledged or not.
    pub(super) fn are_told(&self, log: &AuditLog) -> Result<(), Problem> {
        let (spent, families) = (*self.spent.lock(), log.device_codes_redeemed());
        match spent == families {
            true => Ok(()),
            false => Err(format!("{families} families came of {spent} device codes").into()),
        }
    }
}
