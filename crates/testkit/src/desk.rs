use countersign_client::{Builder, Code, Countersign, Credential, Issued};

use crate::service::Service;
use crate::{Problem, authorize, setup};

const BACK: &str = "http://127.0.0.1/back";

/// Where people sign in at a [`Service`]: the login application, and a public
/// client that acts for them.
pub struct Desk {
    /// The client that acts for people.
    pub desk: Countersign,
    login: Countersign,
    issuer: String,
}

impl Desk {
    /// Registers what signing in takes, and connects.
    ///
    /// # Errors
    ///
    /// What the service answered.
    pub async fn open(service: &Service) -> Result<Self, Problem> {
        let url = service.url();
        setup::resource(service)?;
        let decides = format!("{url}=authorizations.decide");
        let login = setup::client(service, "login", &["--allow", &decides])?;
        let reads = format!("{}=orders.read", setup::RESOURCE);
        service.admin(&[
            "client",
            "add",
            "desk",
            "--auth",
            "none",
            "--redirect-uri",
            BACK,
            "--allow",
            &reads,
        ])?;
        let credential = Credential::ClientSecret(login.secret.into());
        let login = Builder::new(&url).client(&login.client_id, credential);
        let desk = Builder::new(&url).client("desk", Credential::Public);
        Ok(Self {
            desk: desk.connect().await?,
            login: login.connect().await?,
            issuer: url,
        })
    }

    /// Somebody signs in.
    ///
    /// # Errors
    ///
    /// What the service answered.
    pub async fn sign_in(&self, subject: &str) -> Result<Issued, Problem> {
        let code = self.code(subject).await?;
        Ok(self.desk.token_service().redeem(&code, &[], &[]).await?)
    }

    /// The same up to the code, which is not redeemed yet.
    ///
    /// # Errors
    ///
    /// What the service answered.
    pub async fn code(&self, subject: &str) -> Result<Code, Problem> {
        authorize(&self.desk, &self.login, &self.issuer, BACK, subject).await
    }
}
