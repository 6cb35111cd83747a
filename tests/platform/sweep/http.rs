//! Secrets over HTTP: in every parameter of every endpoint, where it belongs and where not, in header
//! fields, in paths and in queries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_testkit::Problem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::call::Caller;
use super::marks::Heard;
use super::misplaced::{metadata, misplaced};

/// Right forms, as far as they can be right without a secret.
const FORMS: [(&str, &[(&str, &str)]); 8] = [
    (
        "/token",
        &[
            ("grant_type", "client_credentials"),
            ("client_id", "desk"),
            ("client_secret", "x"),
            ("scope", "orders.read"),
            ("resource", "https://orders.example"),
        ],
    ),
    (
        "/token",
        &[
            ("grant_type", "authorization_code"),
            ("client_id", "desk"),
            ("code", "x"),
            ("redirect_uri", "http://127.0.0.1/back"),
            ("code_verifier", "x"),
        ],
    ),
    (
        "/token",
        &[
            ("grant_type", "refresh_token"),
            ("client_assertion", "x"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("refresh_token", "x"),
        ],
    ),
    (
        "/token",
        &[
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", "desk"),
            ("device_code", "x"),
        ],
    ),
    (
        "/device_authorization",
        &[
            ("client_id", "desk"),
            ("client_secret", "x"),
            ("scope", "orders.read"),
            ("resource", "https://orders.example"),
        ],
    ),
    (
        "/par",
        &[
            ("client_id", "desk"),
            ("response_type", "code"),
            ("redirect_uri", "http://127.0.0.1/elsewhere"),
            ("code_challenge", "x"),
            ("code_challenge_method", "S256"),
            ("dpop_jkt", "x"),
            ("request_uri", ""),
        ],
    ),
    ("/revoke", &[("client_id", "desk"), ("token", "x")]),
    (
        "/introspect",
        &[
            ("client_id", "desk"),
            ("token", "x"),
            ("token_type_hint", "x"),
        ],
    ),
];

/// Sends them all. None can succeed, but that whoever revokes what looks like a refresh token is not
/// told that it is none (RFC 7009 §2.2); what is answered is searched with the rest.
pub(crate) async fn misplace(url: &str, caller: &mut Caller) -> Result<(), Problem> {
    let address = url.trim_start_matches("http://");
    for secret in misplaced('s') {
        let text = encoded(&secret.text);
        let mut requests = Vec::new();
        for (path, form) in FORMS {
            for at in 0..form.len() {
                let value = |(number, (name, value)): (usize, &(&str, &str))| {
                    let value = encoded(value);
                    format!("{name}={}", if number == at { &text } else { &value })
                };
                let body: Vec<_> = form.iter().enumerate().map(value).collect();
                requests.push(post(path, "", &body.join("&")));
            }
            // As the name of a parameter, twice; in the query; in the fields of the head.
            requests.push(post(path, "", &format!("{text}=1&{text}=2")));
            requests.push(post(&format!("{path}?access_token={text}"), "", ""));
            let both = STANDARD.encode(format!("{text}:{text}"));
            requests.push(post(path, &format!("Authorization: Basic {both}\r\n"), ""));
            if secret.text.is_ascii() {
                for fields in metadata(&secret.text) {
                    let field = |(name, value): &(&str, String)| format!("{name}: {value}\r\n");
                    let fields: String = fields.iter().map(field).collect();
                    // Without the scope a device would be let wait.
                    let body = "client_id=desk&token=x&scope=none";
                    requests.push(post(path, &fields, body));
                }
            }
        }
        requests.push(format!(
            "GET /{text} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ));
        for request in requests {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await?;
            let is_refused = bytes.starts_with(b"HTTP/1.1 4");
            let is_revoked = request.contains("&token=csr_") && bytes.starts_with(b"HTTP/1.1 200");
            if !is_refused && !is_revoked {
                let answer = String::from_utf8_lossy(&bytes);
                return Err(format!("not refused: {request}\n{answer}").into());
            }
            let place = "answer over HTTP".to_owned();
            caller.heard.push(Heard { place, bytes });
        }
    }
    Ok(())
}

fn post(path: &str, fields: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
