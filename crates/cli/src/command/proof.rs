//! `countersign proof`: one proof, so that any tool can make the call.

use std::path::PathBuf;

use clap::Args;
use countersign_dpop::Target;
use countersign_jose::SigningKey;

use crate::exit::Failure;
use crate::hyphened::Hyphened;
use crate::key_file;
use crate::output::Output;
use crate::proven::Prover;
use crate::secret::OptionalTokenArgs;

/// The variable that names the file of the proof key.
pub(crate) const DPOP_KEY_VARIABLE: &str = "COUNTERSIGN_DPOP_KEY";

/// A proof to make.
#[derive(Args, Debug)]
#[command(after_help = "\
Prints the proof and nothing else. It works once, for this method and URL, for
about a minute. A gRPC call is a POST to /package.Service/Method.

Examples:
  countersign proof \\
    --url http://127.0.0.1:7443/countersign.token.v1.TokenService/IssueToken

  # a guarded call by hand: the token and its proof
  grpcurl -plaintext \\
    -H \"authorization: DPoP $(cat token)\" \\
    -H \"dpop: $(countersign proof --token-file token \\
      --url http://127.0.0.1:8443/orders.v1.Orders/Create)\" \\
    -d '{\"item\": \"tea\"}' 127.0.0.1:8443 orders.v1.Orders/Create

  # answered with dpop-nonce: the same again with that nonce
  countersign proof --nonce NONCE --token-file token \\
    --url http://127.0.0.1:8443/orders.v1.Orders/Create")]
pub(crate) struct ProofCommand {
    /// The method of the request, as it is sent
    #[arg(long, value_name = "METHOD", default_value = "POST")]
    method: String,

    /// The URL of the request
    #[arg(long, value_name = "URL")]
    url: String,

    #[command(flatten)]
    token: OptionalTokenArgs,

    /// The nonce that the service asked for; empty for none
    #[arg(long, value_name = "NONCE", allow_hyphen_values = true, value_parser = Hyphened)]
    nonce: Option<String>,

    #[command(flatten)]
    key: ProofKeyArgs,
}

/// The key that signs proofs, and that tokens are bound to.
#[derive(Args, Debug)]
pub(crate) struct ProofKeyArgs {
    /// The key that signs proofs and that tokens are bound to: PKCS#8 PEM or private JWK, mode
    /// 0600. Made if it is not there [default: dpop-key.pem in the user's state folder]
    #[arg(
        long = "dpop-key",
        visible_alias = "key",
        value_name = "FILE",
        env = DPOP_KEY_VARIABLE
    )]
    file: Option<PathBuf>,
}

impl ProofKeyArgs {
    /// The key; made, with a note, if there is none.
    pub(crate) fn prover(&self, output: &Output) -> Result<Prover, Failure> {
        Ok(Prover::new(self.key(output)?.1))
    }

    /// The same, and the file that it is in.
    pub(crate) fn key(&self, output: &Output) -> Result<(PathBuf, SigningKey), Failure> {
        let path = match &self.file {
            Some(path) => path.clone(),
            None => key_file::default_dpop_key().ok_or_else(|| {
                Failure::configuration("there is no place to keep a key: HOME is not set")
                    .next("name a file with --dpop-key")
            })?,
        };
        let key = key_file::read_or_make(&path, output)?;
        Ok((path, key))
    }
}

/// RFC 9110 §5.6.2: a method is a token.
fn is_method(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

impl ProofCommand {
    /// Prints the proof.
    pub(crate) fn run(self, output: &Output) -> Result<(), Failure> {
        let target = Target::parse(&self.url).map_err(|cause| {
            Failure::configuration(format!("--url: {cause}")).next(
                "write the whole URL, as in https://orders.internal:8443/package.Service/Method",
            )
        })?;
        if !is_method(&self.method) {
            return Err(Failure::configuration("--method: is no method of HTTP")
                .next("write it as it is sent, as in POST"));
        }
        let token = self.token.read()?;
        let prover = self.key.prover(output)?;
        let proof = prover.proof(
            &self.method,
            &target,
            self.nonce.as_deref().filter(|nonce| !nonce.is_empty()),
            token.as_ref().map(|token| token.as_str()),
        )?;
        output.value(&serde_json::json!({ "dpop": proof }), || proof.clone())
    }
}
