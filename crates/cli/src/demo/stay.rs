//! After the story: everything stays up, and the person tries it by hand.

use std::{env, fs};

use super::agent::Agent;
use super::platform::Platform;
use super::registration::Cast;
use super::stage::Stage;
use super::world::World;
use crate::exit::Failure;
use crate::key_file;
use crate::signals::Signals;

/// Writes what the commands need into the temporary folder, prints the commands,
/// and waits for a signal.
pub(crate) async fn play(
    stage: &mut Stage<'_>,
    platform: &Platform,
    world: &World,
    cast: &Cast,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    for agent in [&cast.checkout, &cast.orders] {
        leave_secret(platform, agent)?;
    }
    let protoset = platform.file("countersign.binpb");
    fs::write(&protoset, countersign::FILE_DESCRIPTOR_SET)
        .map_err(|cause| Failure::internal(format!("{}: {cause}", protoset.display())))?;
    stage.say(&commands(platform, world)?)?;
    signals.next().await;
    stage.say("\nstopped; the folder is removed")
}

fn leave_secret(platform: &Platform, agent: &Agent) -> Result<(), Failure> {
    let Some(secret) = agent.secret() else {
        return Ok(());
    };
    let path = platform.file(&format!("{}.secret", agent.id()));
    key_file::write_private(&path, &format!("{secret}\n"))
}

fn commands(platform: &Platform, world: &World) -> Result<String, Failure> {
    let program = env::current_exe()
        .map_err(|cause| Failure::internal(format!("this program's own path: {cause}")))?;
    let programs = program.parent().unwrap_or(&program);
    let folder = platform.file("");
    let orders = world.order_service();
    let orders_address = orders.trim_start_matches("http://");
    let tokens_address = world.token_service().trim_start_matches("http://");
    let method = "countersign.example.v1.OrderService/CreateOrder";
    Ok(format!(
        "
Everything stays up until Ctrl-C. To try, in another terminal:

    export PATH='{programs}':\"$PATH\"
    export COUNTERSIGN_SERVER={tokens}
    export COUNTERSIGN_ADMIN_SOCKET='{socket}'
    export COUNTERSIGN_DPOP_KEY='{key}'
    cd '{folder}'

    countersign client list
    countersign resource list
    countersign key list
    countersign token issue --client-id checkout --client-secret-file checkout.secret --access-token-file token
    countersign token introspect --client-id orders --client-secret-file orders.secret --token-file token
    countersign proof --token-file token --url {orders}/{method}

With grpcurl (https://github.com/fullstorydev/grpcurl):

    grpcurl -plaintext {tokens_address} list
    grpcurl -plaintext -protoset countersign.binpb {orders_address} countersign.example.v1.OrderService/Ping
    call() {{
      grpcurl -v -plaintext -protoset countersign.binpb -H \"authorization: DPoP $(cat token)\" \\
        -H \"dpop: $(countersign proof --nonce \"$1\" --token-file token --url {orders}/{method})\" \\
        -d '{{\"item\": \"tea\"}}' {orders_address} {method}
    }}
    call \"$(call '' 2>&1 | sed -n 's/^dpop-nonce: //p')\"

For 70 seconds after its start the guard asks for a nonce: the inner call fetches
it. Once the token is no longer wanted:

    countersign token revoke --client-id checkout --client-secret-file checkout.secret --token-file token --yes
",
        programs = programs.display(),
        tokens = world.token_service(),
        socket = platform.admin_socket().display(),
        key = platform.file("my-key.pem").display(),
        folder = folder.display(),
    ))
}
