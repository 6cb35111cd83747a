//! Connections that are encrypted, and to whom.

use countersign::example::v1::PingRequest;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign_client::transport::Transport;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};

#[tokio::test]
async fn only_a_trusted_authority_will_do() {
    let names = vec!["localhost".to_owned()];
    let own = rcgen::generate_simple_self_signed(names.clone()).unwrap();
    let other = rcgen::generate_simple_self_signed(names).unwrap();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!(
        "https://localhost:{}",
        incoming.local_addr().unwrap().port()
    );
    let identity = Identity::from_pem(own.cert.pem(), own.signing_key.serialize_pem());
    let server = Server::builder()
        .tls_config(ServerTlsConfig::new().identity(identity))
        .unwrap()
        // Nothing is served: it is about the handshake.
        .add_routes(tonic::service::Routes::default());
    tokio::spawn(server.serve_with_incoming(incoming));

    let ping = async |transport: Transport| {
        let mut orders = OrderServiceClient::new(transport.channel(&url).unwrap());
        orders.ping(PingRequest {}).await.unwrap_err().code()
    };
    let trusted = Transport::new().trust_ca(own.cert.pem());
    assert_eq!(ping(trusted).await, tonic::Code::Unimplemented);
    let mistrusted = Transport::new().trust_ca(other.cert.pem());
    assert_eq!(ping(mistrusted).await, tonic::Code::Unavailable);
}
