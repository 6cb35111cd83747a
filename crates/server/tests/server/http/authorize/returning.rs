//! The way back: for the browser in which the request began, once, in its time.

use std::time::Duration;

use super::super::web::{Ask, form};
use super::browser::{AUTHORIZE, World, check_page, location, parameter};
use crate::audit;
use crate::comes::{Comes, check};
use crate::flow::pkce;

const OTHER_BROWSER: &str = "resume: must be opened once, in the browser";
const OVER: &str = "resume: must be of a decided request";

/// An attacker who logged in himself makes another person's browser finish, or has another person
/// log in and finishes himself: neither gets a code, and the browser that began still does.
#[tokio::test(flavor = "multi_thread")]
async fn another_browser_gets_a_page_and_uses_nothing_up() {
    let world = World::new().await;
    let mut browser = world.browser();
    let way_back = world.approved(&mut browser).await;
    let (name, value) = browser.jar[0].clone();

    let mut fresh = world.browser();
    check_page(
        "no cookie",
        &fresh.open(&way_back).await,
        400,
        OTHER_BROWSER,
    );
    let mut busy = world.browser();
    world.begun(&mut busy).await;
    let answer = busy.open(&way_back).await;
    check_page("a request of its own", &answer, 400, OTHER_BROWSER);
    let (_, of_busy) = busy.jar[0].clone();
    for (what, jar) in [
        (
            "the value of its own",
            vec![(name.clone(), of_busy.clone())],
        ),
        ("an empty one", vec![(name.clone(), String::new())]),
        ("a part", vec![(name.clone(), value[..20].to_owned())]),
        (
            "under another name",
            vec![("countersign-x".to_owned(), value.clone())],
        ),
        (
            "one planted before it",
            vec![
                (name.clone(), of_busy.clone()),
                (name.clone(), value.clone()),
            ],
        ),
    ] {
        let mut thief = world.browser();
        thief.jar = jar;
        check_page(what, &thief.open(&way_back).await, 400, OTHER_BROWSER);
    }

    let url = location(&browser.open(&way_back).await);
    assert!(parameter(&url, "code").is_some(), "{url}");

    // Those seven are one line of the audit log, and nothing of what they brought is in it.
    let mut service = world.service;
    audit::written(&mut service).await;
    let events = audit::all(&service).await;
    let mut told = events
        .iter()
        .filter(|event| event.event == "AUTHORIZATION_MISPRESENTED");
    let event = told.next().expect("told");
    assert!(told.next().is_none(), "one line");
    assert_eq!(
        (
            &*event.client_id,
            &*event.actor,
            &*event.reason,
            event.count
        ),
        (&*world.shop.id, "", "other_browser", 7)
    );
    let raw = audit::raw(&service).await;
    for secret in [&way_back, &value, &of_busy] {
        let held = raw.windows(secret.len()).any(|it| it == secret.as_bytes());
        assert!(!held, "{secret} is in the audit log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_leads_there_once() {
    let world = World::new().await;
    let mut browser = world.browser();
    let way_back = world.approved(&mut browser).await;
    let jar = browser.jar.clone();
    assert!(parameter(&location(&browser.open(&way_back).await), "code").is_some());
    let answer = browser.open(&way_back).await;
    check_page("again", &answer, 400, OTHER_BROWSER);
    // Also for a browser that did not forget.
    browser.jar = jar;
    check_page("again", &browser.open(&way_back).await, 400, OVER);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_is_made_by_a_decision_alone() {
    let world = World::new().await;
    let mut browser = world.browser();
    let handle = world.begun(&mut browser).await;
    for (what, resume) in [
        ("the handle", handle.clone()),
        ("made of it", handle.replace("csi_", "csb_")),
        ("garbage", "csb_x".to_owned()),
    ] {
        let path = format!("{AUTHORIZE}?{}", form(&[("resume", &resume)]));
        check_page(what, &browser.open(&path).await, 400, OVER);
    }
    let redirect_to = world.approve(&handle).await.expect("approved");
    let way_back = world.way_back(&redirect_to);
    let (_, resume) = way_back.split_once("resume=").expect("a handle");
    // A page of another site can post, and shows no cookie that is Lax; this one is posted with it.
    let posted = browser.send(Ask::post(AUTHORIZE, &[("resume", resume)]));
    check_page("posted", &posted.await, 400, OVER);
    assert!(parameter(&location(&browser.open(&way_back).await), "code").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_late_or_fetched_late_is_over() {
    let world = World::new().await;
    let mut browser = world.browser();
    let handle = world.begun(&mut browser).await;
    world.service.clock.advance(Duration::from_secs(600));
    let late = world.approve(&handle).await;
    check("decided late", &late, Comes::R("request_uri"));

    for (secs, expected) in [(59, true), (60, false)] {
        let mut browser = world.browser();
        let way_back = world.approved(&mut browser).await;
        world.service.clock.advance(Duration::from_secs(secs));
        let answer = browser.open(&way_back).await;
        match expected {
            true => assert!(parameter(&location(&answer), "code").is_some()),
            false => check_page("fetched late", &answer, 400, OVER),
        }
    }
}

/// Once a browser has brought a request, nobody decides it around that browser.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_browser_brought_goes_by_its_handle_alone() {
    let world = World::new().await;
    let mut browser = world.browser();
    let (_, challenge) = pkce();
    let uri = world.push(&world.shop, &challenge).await;
    browser
        .bring(&[("client_id", "shop"), ("request_uri", &uri)])
        .await;
    let not_waiting = Comes::R("request_uri");
    check("shown", &world.get(&uri).await, not_waiting);
    check("approved", &world.approve(&uri).await, not_waiting);
    check("declined", &world.deny(&uri).await, not_waiting);
}
