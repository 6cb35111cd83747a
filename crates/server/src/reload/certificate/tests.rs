use std::fs;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const DAY_SECS: u64 = 86_400;

/// The files of a new certificate: chain and key.
struct Made {
    chain: String,
    key: String,
    ends: UnixTime,
}

fn made() -> Made {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    Made {
        chain: params.self_signed(&key).expect("signed").pem(),
        key: key.serialize_pem(),
        ends: UnixTime::from_secs(1_893_456_000),
    }
}

fn write(files: &Tls, chain: &str, key: &str) {
    fs::write(&files.certificate_file, chain).expect("written");
    fs::write(&files.key_file, key).expect("written");
}

/// Files with a certificate in them, and their watch.
fn watch(folder: &Path, made: &Made) -> (Tls, Watch) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let files = Tls {
        certificate_file: folder.join("tls.crt"),
        key_file: folder.join("tls.key"),
        client_authorities_file: None,
    };
    write(&files, &made.chain, &made.key);
    let certificates = Arc::new(Certificates::load(&files).expect("good"));
    (files.clone(), Watch::new(files, certificates))
}

fn in_use(watch: &Watch) -> Contents {
    watch.certificates.in_use().contents
}

#[tokio::test]
async fn half_a_chain_is_not_taken_although_it_fits() {
    let folder = TempDir::new().expect("a folder");
    let health = Health::serving(&[]).await;
    let (files, mut watch) = watch(folder.path(), &made());
    assert_eq!(watch.look(NOW, &health).await, Look::Settled);
    let first = in_use(&watch);

    let next = made();
    write(&files, &next.chain, &next.key);
    assert_eq!(watch.look(NOW, &health).await, Look::Unsettled);
    assert_eq!(in_use(&watch), first);
    // The intermediate certificate is written now.
    let whole = format!("{}{}", next.chain, made().chain);
    write(&files, &whole, &next.key);
    assert_eq!(watch.look(NOW, &health).await, Look::Unsettled);
    assert_eq!(in_use(&watch), first);
    assert_eq!(watch.look(NOW, &health).await, Look::Settled);
    assert_eq!(in_use(&watch), Pair::read(&files).expect("good").contents);
    assert_eq!(watch.look(NOW, &health).await, Look::Settled);
}

/// The clock stands still while a file is read.
#[tokio::test(start_paused = true)]
async fn files_that_are_being_written_are_looked_at_again_unless_somebody_asked() {
    let folder = TempDir::new().expect("a folder");
    let (files, _) = watch(folder.path(), &made());
    let next = made();
    write(&files, &next.chain, &next.key);
    let half = at_once(&files).await.expect("it fits").contents;
    let looking = tokio::spawn({
        let files = files.clone();
        async move { settled(&files).await }
    });
    sleep(SETTLE_INTERVAL / 2).await;
    // The intermediate certificate is written now.
    let whole = format!("{}{}", next.chain, made().chain);
    write(&files, &whole, &next.key);
    let settled = looking.await.expect("no panic").expect("good").contents;
    assert_ne!(settled, half);
    assert_eq!(settled, Pair::read(&files).expect("good").contents);
}

#[tokio::test(start_paused = true)]
async fn files_that_are_never_left_alone_are_not_waited_for() {
    let folder = TempDir::new().expect("a folder");
    let first = made();
    let (files, _) = watch(folder.path(), &first);
    let writing = tokio::spawn({
        let files = files.clone();
        async move {
            // Between two looks, not while one reads.
            sleep(SETTLE_INTERVAL / 2).await;
            for number in 0.. {
                let chain = format!("# {number}\n{}", first.chain);
                write(&files, &chain, &first.key);
                sleep(SETTLE_INTERVAL).await;
            }
        }
    });
    let begun = tokio::time::Instant::now();
    let problem = settled(&files).await.err().expect("it never settles");
    assert!(problem.to_string().contains("left alone"), "{problem}");
    assert!(begun.elapsed() <= SETTLE_INTERVAL * LOOKS_MAX as u32);
    writing.abort();
}

#[tokio::test]
async fn an_end_that_comes_is_told_and_what_is_not_yet_valid_waits() {
    let folder = TempDir::new().expect("a folder");
    let health = Health::serving(&[]).await;
    let first = made();
    let (files, mut watch) = watch(folder.path(), &first);
    let leaf = watch.certificates.in_use().leaf.clone();
    for (now, standing) in [
        (NOW, Standing::Valid),
        (
            first.ends.minus(Duration::from_secs(8 * DAY_SECS)),
            Standing::Valid,
        ),
        (
            first.ends.minus(Duration::from_secs(6 * DAY_SECS)),
            Standing::EndsSoon,
        ),
        (first.ends, Standing::EndsSoon),
        (first.ends.plus(Duration::from_secs(1)), Standing::Over),
        (UnixTime::from_secs(0), Standing::NotYet),
    ] {
        assert_eq!(leaf.standing(now), standing, "{now:?}");
    }

    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.not_before = rcgen::date_time_ymd(2029, 1, 1);
    let begins = UnixTime::from_secs(1_861_920_000);
    let chain = params.self_signed(&key).expect("signed").pem();
    write(&files, &chain, &key.serialize_pem());
    let early = begins.minus(Duration::from_secs(1));
    let problem = watch.look_closely(early, &health).await.expect("too early");
    assert!(
        problem.to_string().contains("is not valid yet"),
        "{problem}"
    );
    assert_eq!(watch.look_closely(begins, &health).await, None);
    assert_eq!(in_use(&watch), Pair::read(&files).expect("good").contents);
}
