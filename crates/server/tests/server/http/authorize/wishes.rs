//! What a client wants of the login: told to the login application, and held it to.

use countersign::authorization::v1::{ApproveAuthorizationRequest, DenialReason};
use countersign_jose::UnixTime;

use super::browser::{World, borrowed, check_back, interaction, location, parameter, plain};
use crate::comes::{Comes, check};
use crate::flow::pkce;

async fn begun(
    world: &World,
    wishes: &[(&'static str, &str)],
) -> (super::browser::Browser, String) {
    let mut browser = world.browser();
    let (_, challenge) = pkce();
    let mut parameters = plain(&world.shop, &challenge);
    parameters.extend(
        wishes
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    let handle = interaction(&browser.bring(&borrowed(&parameters)).await);
    (browser, handle)
}

fn approving(handle: &str, auth_time: UnixTime) -> ApproveAuthorizationRequest {
    ApproveAuthorizationRequest {
        request_uri: handle.to_owned(),
        subject: "ann".to_owned(),
        auth_time: Some(prost_types::Timestamp {
            seconds: i64::try_from(auth_time.as_secs()).expect("a time"),
            nanos: 0,
        }),
        ..ApproveAuthorizationRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_login_than_was_asked_for_is_refused() {
    let world = World::new().await;
    let now = world.service.now().as_secs();
    for (wishes, since) in [
        (&[("max_age", "100")][..], now - 100),
        (&[("max_age", "0")], now),
        (&[("prompt", "login")], now),
        (&[("prompt", "login consent"), ("max_age", "100")], now),
    ] {
        let (mut browser, handle) = begun(&world, wishes).await;
        let shown = world.get(&handle).await.expect("shown");
        let told = shown.authenticated_since.expect("a time").seconds;
        assert_eq!(u64::try_from(told), Ok(since), "{wishes:?}");
        // A clock may differ by ten seconds.
        let old = approving(&handle, UnixTime::from_secs(since - 11));
        let refused = world.approve_as(old).await;
        check("an old login", &refused, Comes::R("auth_time"));
        let fresh = approving(&handle, UnixTime::from_secs(since - 10));
        let redirect_to = world.approve_as(fresh).await.expect("approved");
        let url = location(&browser.open(&world.way_back(&redirect_to)).await);
        assert!(parameter(&url, "code").is_some());
    }
    let (_, handle) = begun(&world, &[]).await;
    let shown = world.get(&handle).await.expect("shown");
    assert_eq!(shown.authenticated_since, None);
    let old = approving(&handle, UnixTime::from_secs(1_000));
    world.approve_as(old).await.expect("any login will do");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login_application_is_told_what_to_ask() {
    let world = World::new().await;
    let wishes = [
        ("acr_values", "phr pwd"),
        ("prompt", "select_account consent"),
    ];
    let (_, handle) = begun(&world, &wishes).await;
    let shown = world.get(&handle).await.expect("shown");
    assert_eq!(shown.acr_values, ["phr", "pwd"]);
    assert_eq!(shown.prompts, ["consent", "select_account"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_must_not_be_asked_is_declined_for_that() {
    let world = World::new().await;
    let (mut browser, handle) = begun(&world, &[("prompt", "none")]).await;
    let redirect_to = world.deny(&handle).await.expect("declined");
    let done = browser.open(&world.way_back(&redirect_to)).await;
    check_back("none", &world.service, &done, "interaction_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_is_told_why_it_was_declined() {
    let world = World::new().await;
    for (prompt, reason, error) in [
        ("consent", DenialReason::Unspecified, "access_denied"),
        ("none", DenialReason::AccessDenied, "access_denied"),
        ("none", DenialReason::LoginRequired, "login_required"),
        ("none", DenialReason::ConsentRequired, "consent_required"),
        (
            "consent",
            DenialReason::InteractionRequired,
            "interaction_required",
        ),
        (
            "consent",
            DenialReason::UnmetAuthenticationRequirements,
            "unmet_authentication_requirements",
        ),
    ] {
        let (mut browser, handle) = begun(&world, &[("prompt", prompt)]).await;
        let redirect_to = world.deny_for(&handle, reason.into()).await;
        let way_back = world.way_back(&redirect_to.expect("declined"));
        // Nothing of it stands in the address that the browser is sent to first.
        assert!(!way_back.contains(error), "{way_back}");
        let done = browser.open(&way_back).await;
        check_back(error, &world.service, &done, error);
        let told = crate::audit::all(&world.service).await;
        let mut denied = told.iter().filter(|it| it.event == "AUTHORIZATION_DENIED");
        assert_eq!(denied.next_back().expect("told").reason, error);
    }
    let (_, handle) = begun(&world, &[]).await;
    let refused = world.deny_for(&handle, 99).await;
    check("a reason of tomorrow", &refused, Comes::R("reason"));
    world.deny(&handle).await.expect("it still waits");
}
