//! Rules in a `.proto` of one's own: see `proto/library/v1/library.proto`, and
//! `build.rs` for how it is compiled.
//!
//! ```console
//! $ cargo run --example own_rules
//! ```

#![expect(
    clippy::print_stdout,
    reason = "a program to be watched: what it prints is what it shows"
)]

use countersign_client::outcome::Refused;
use countersign_example_own_rules::FILE_DESCRIPTOR_SET;
use countersign_example_own_rules::library::v1::library_service_client::LibraryServiceClient;
use countersign_example_own_rules::library::v1::library_service_server::{
    LibraryService, LibraryServiceServer,
};
use countersign_example_own_rules::library::v1::{
    BorrowBookRequest, BorrowBookResponse, BurnDownRequest, BurnDownResponse, DiscardBookRequest,
    DiscardBookResponse, ListBooksRequest, ListBooksResponse,
};
use countersign_guard::PermitExt as _;
use countersign_testkit::{Platform, Problem};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

#[tokio::main]
async fn main() -> Result<(), Problem> {
    let platform = Platform::start().await?;
    let incoming = TcpIncoming::bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let url = format!("http://{}", incoming.local_addr()?);

    // The guard reads the rules of the library from its own descriptor set.
    let guard = platform.guard(&url).await?;
    let guard = guard.descriptors(FILE_DESCRIPTOR_SET).connect().await?;
    let server = Server::builder()
        .layer(guard.layer())
        .add_service(LibraryServiceServer::new(Library));
    tokio::spawn(server.serve_with_incoming(incoming));

    // ListBooks is public: no token, no proof.
    let mut stranger = LibraryServiceClient::connect(url.clone()).await?;
    let books = stranger.list_books(ListBooksRequest {}).await?.into_inner();
    println!("anybody may list the books: {}", books.titles.join(", "));
    let title = "Middlemarch".to_owned();
    let wanted = BorrowBookRequest {
        title: title.clone(),
    };
    refused(
        "a stranger borrows one",
        stranger.borrow_book(wanted.clone()).await,
    )?;

    // A reader has the scope that BorrowBook asks for, and no more.
    let reader = platform.caller("reader", &url, &["books.borrow"]).await?;
    let mut reader = LibraryServiceClient::new(reader.channel(&url).connect().await?);
    let lent = reader.borrow_book(wanted).await?.into_inner();
    println!("{title} is lent to {}", lent.borrower);
    let unwanted = DiscardBookRequest {
        title: title.clone(),
    };
    refused(
        "a reader discards it",
        reader.discard_book(unwanted.clone()).await,
    )?;

    // A librarian has both scopes, and still may not do what has no rule.
    let scopes = ["books.borrow", "books.discard"];
    let librarian = platform.caller("librarian", &url, &scopes).await?;
    let mut librarian = LibraryServiceClient::new(librarian.channel(&url).connect().await?);
    librarian.discard_book(unwanted).await?;
    println!("{title} is discarded by the librarian");
    refused(
        "the librarian burns it all down",
        librarian.burn_down(BurnDownRequest {}).await,
    )
}

fn refused<T>(what: &str, answer: Result<T, Status>) -> Result<(), Problem> {
    let status = answer.err().ok_or("this should have been refused")?;
    let refused = Refused::of(&status).ok_or("this is no refusal of the guard's")?;
    println!("{what}: refused, {}", refused.reason.as_str_name());
    Ok(())
}

struct Library;

#[tonic::async_trait]
impl LibraryService for Library {
    async fn list_books(
        &self,
        _: Request<ListBooksRequest>,
    ) -> Result<Response<ListBooksResponse>, Status> {
        let titles = ["Middlemarch", "Emma"].map(str::to_owned).to_vec();
        Ok(Response::new(ListBooksResponse { titles }))
    }

    async fn borrow_book(
        &self,
        request: Request<BorrowBookRequest>,
    ) -> Result<Response<BorrowBookResponse>, Status> {
        let borrower = request.permit()?.subject().to_owned();
        Ok(Response::new(BorrowBookResponse { borrower }))
    }

    async fn discard_book(
        &self,
        _: Request<DiscardBookRequest>,
    ) -> Result<Response<DiscardBookResponse>, Status> {
        Ok(Response::new(DiscardBookResponse {}))
    }

    async fn burn_down(
        &self,
        _: Request<BurnDownRequest>,
    ) -> Result<Response<BurnDownResponse>, Status> {
        Ok(Response::new(BurnDownResponse {}))
    }
}
