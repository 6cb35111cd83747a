//! `countersign store`: copies, and what is done with them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{Ran, Service, feed, finish, program, run, serve, wait};

const ORDERS: &str = "https://orders.internal:8443";

fn data(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// Stopped, with a resource in it.
fn stopped() -> Service {
    let mut service = Service::start();
    assert_eq!(
        service
            .run(&format!("resource add {ORDERS} --scope orders.read"))
            .code,
        0
    );
    stop(&mut service);
    service
}

fn stop(service: &mut Service) {
    service.signal("TERM");
    assert!(service.ended().success());
}

fn refused(ran: &Ran, code: i32, says: &[&str]) {
    assert_eq!(ran.code, code, "{ran:?}");
    for text in says {
        assert!(ran.err.contains(text), "no {text:?} in {ran:?}");
    }
}

#[test]
fn figures_are_shown_while_it_serves() {
    let service = Service::start();
    let shown = service.run("store stats --count --json").json();
    assert_eq!(shown["epoch"], 1);
    assert_eq!(shown["inspected"], true);
    let kinds = shown["records"].as_array().unwrap();
    assert!(kinds.iter().any(|kind| kind["kind"] == "key"), "{shown}");
}

#[test]
fn a_backup_is_restored_with_what_was_registered_and_in_a_new_epoch() {
    let mut service = Service::start();
    service.run(&format!("resource add {ORDERS} --scope orders.read"));
    assert_eq!(service.run("store backup b").code, 0);
    refused(&service.run("store backup b"), 4, &["is there already"]);
    let verified = service.run("store verify b --json").json();
    assert_eq!(verified["sound"], true);
    stop(&mut service);

    let folder = service.file("");
    let restored = data(&folder, "restored");
    let ran = service.run(&format!("store restore b --data {restored} --yes --json"));
    assert_eq!(ran.json()["records"]["resource"], 2);
    fs::rename(folder.join("data"), folder.join("data.before")).unwrap();
    fs::rename(&restored, folder.join("data")).unwrap();
    let (mut child, _) = serve(&folder, &[]);
    let epoch = service.run("store stats --json").json();
    assert_eq!(epoch["epoch"], 2);
    assert_eq!(service.run(&format!("resource show {ORDERS}")).code, 0);
    // The event says where it goes on from, and that is still there to be compared.
    let told = service
        .run("audit list --event STORE_RESTORED --json")
        .json();
    let object = told["events"][0]["object"].as_str().unwrap();
    let note = object.strip_prefix("epoch:2,").unwrap();
    let compared = service.run(&format!("audit verify --expect {note}"));
    assert_eq!(compared.code, 0, "{compared:?}");
    child.kill().unwrap();
    wait(&mut child);
}

#[test]
fn a_restoration_asks_and_touches_nothing_that_is_there() {
    let service = stopped();
    let folder = service.file("");
    let (here, there) = (data(&folder, "data"), data(&folder, "there"));
    // A whole backup of the stopped store: served once more, and copied.
    let (mut child, _) = serve(&folder, &[]);
    assert_eq!(service.run("store backup b").code, 0);
    child.kill().unwrap();
    wait(&mut child);

    let unasked = service.run(&format!("store restore b --data {there}"));
    refused(&unasked, 3, &["--yes", "nothing was changed"]);
    let occupied = service.run(&format!("store restore b --data {here} --yes"));
    refused(&occupied, 4, &["is empty or not there yet"]);
    let whole = fs::read(folder.join("b")).unwrap();
    for part in [0, 40, whole.len() - 1] {
        fs::write(folder.join("cut"), &whole[..part]).unwrap();
        let cut = service.run(&format!("store restore cut --data {there} --yes"));
        refused(&cut, 4, &["not whole"]);
    }
    assert!(!Path::new(&there).exists(), "nothing was left behind");
    assert_eq!(service.run(&format!("store verify --data {here}")).code, 0);
}

/// Whatever a shell makes of the name; a restoration that did not end is no store.
#[test]
fn a_restoration_goes_where_it_is_told() {
    let service = Service::start();
    assert_eq!(service.run("store backup b").code, 0);
    let folder = service.file("");
    fs::create_dir(folder.join("empty")).unwrap();
    fs::create_dir(folder.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(folder.join("elsewhere"), folder.join("link")).unwrap();
    for name in ["new/", "empty/", "link"] {
        let ran = service.run(&format!(
            "store restore b --data {} --yes",
            data(&folder, name)
        ));
        assert_eq!(ran.code, 0, "{name}: {ran:?}");
        let note = folder.join(name).join("set-back");
        assert!(note.is_file(), "{name}: the next start begins an epoch");
        let verified = service.run(&format!("store verify --data {}", data(&folder, name)));
        assert_eq!(verified.code, 0, "{name}: {verified:?}");
    }
    let wrong = service.run("store verify data");
    refused(&wrong, 4, &["is a directory", "--data"]);
    let missing = service.run("store restore nothing --data other --yes");
    refused(&missing, 4, &["nothing", " next: "]);
}

#[test]
fn a_store_without_its_mark_is_recovered_and_not_thrown_away() {
    let service = stopped();
    let folder = service.file("");
    fs::remove_file(folder.join("data/mark")).unwrap();
    let started = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.join("data"))
        .arg("--key-file")
        .arg(folder.join("kek"))
        .output()
        .unwrap();
    let said = String::from_utf8(started.stderr).unwrap();
    assert_eq!(started.status.code(), Some(4), "{said}");
    for text in ["`mark` in it is missing", "countersign store recover"] {
        assert!(said.contains(text), "{said}");
    }
    let here = data(&folder, "data");
    let recovered = service.run(&format!("store recover --data {here} --yes"));
    assert_eq!(recovered.code, 0, "{recovered:?}");
    assert!(folder.join("data/set-back").is_file());
}

#[test]
fn a_store_that_lost_its_end_is_refused_explained_and_recovered() {
    let service = stopped();
    let folder = service.file("");
    let here = data(&folder, "data");
    let nothing = service.run(&format!("store recover --data {here} --json"));
    assert_eq!(nothing.json()["lost"], false);

    // As if commits had been acknowledged that are not there.
    let mark = folder.join("data/mark");
    let text = fs::read_to_string(&mark).unwrap();
    let (words, number) = text.trim_end().rsplit_once(' ').unwrap();
    let number: u64 = number.parse().unwrap();
    fs::write(&mark, format!("{words} {}\n", number + 7)).unwrap();

    let started = run([
        "serve",
        "--data",
        &here,
        "--key-file",
        &data(&folder, "kek"),
        "--socket",
        &data(&folder, "s"),
        "--listen",
        "127.0.0.1:0",
    ]);
    refused(
        &started,
        4,
        &["has lost its end", "countersign store recover"],
    );
    let verified = service.run(&format!("store verify --data {here}"));
    refused(&verified, 4, &["countersign store recover"]);
    let unasked = service.run(&format!("store recover --data {here}"));
    refused(&unasked, 3, &["at least 7 are lost", "nothing was changed"]);
    let no = feed(
        program().args(["store", "recover", "--data", &here]),
        "no\n",
    );
    refused(&no, 3, &["nothing was changed"]);

    let recovered = service.run(&format!("store recover --data {here} --yes --json"));
    let recovered = recovered.json();
    let aside = Path::new(recovered["aside"].as_str().unwrap());
    assert!(aside.join("database/db").is_file(), "all files are aside");
    let (mut child, _) = serve(&folder, &[]);
    let shown = service.run("store stats --json").json();
    assert_eq!(shown["epoch"], 2, "what was live before is dead");
    assert_eq!(service.run(&format!("resource show {ORDERS}")).code, 0);
    child.kill().unwrap();
    wait(&mut child);
}

/// Killed with -9, and its end is torn: the driver would rewrite that at once. Nothing is changed
/// by who only asks, and what is put aside is what was found.
#[test]
fn a_torn_store_stays_as_it_is_until_a_yes_and_lies_aside_as_it_was() {
    let mut service = Service::start();
    for n in 0..30 {
        let added = service.run(&format!(
            "resource add https://r-{n}.internal --scope orders.read"
        ));
        assert_eq!(added.code, 0, "{added:?}");
    }
    service.signal("KILL");
    service.ended();
    let folder = service.file("");
    let here = data(&folder, "data");
    let db = folder.join("data/database/db");
    let mut bytes = fs::read(&db).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end - 2_500] ^= 0x10;
    fs::write(&db, bytes).unwrap();
    // The mark is up to half a second behind.
    fs::write(folder.join("data/mark"), "countersign mark, commit 900\n").unwrap();
    let unfinished = folder.join("data/database/snap.00000000000000FF.generating");
    fs::write(unfinished, "half of a snapshot").unwrap();
    let found = files(&folder.join("data"));
    let beside = fs::read_dir(&folder).unwrap().count();

    let unasked = service.run(&format!("store recover --data {here}"));
    refused(
        &unasked,
        3,
        &["commit 900 was acknowledged", "nothing was changed"],
    );
    assert!(
        files(&folder.join("data")) == found,
        "a question changed it"
    );
    let verified = service.run(&format!(
        "store verify --data {here} --scratch {}",
        folder.display()
    ));
    refused(&verified, 4, &["countersign store recover"]);
    assert!(
        files(&folder.join("data")) == found,
        "verifying a copy changed it"
    );
    assert_eq!(
        fs::read_dir(&folder).unwrap().count(),
        beside,
        "a copy was left"
    );

    let recovered = service.run(&format!("store recover --data {here} --yes --json"));
    let recovered = recovered.json();
    let aside = Path::new(recovered["aside"].as_str().unwrap());
    assert!(files(aside) == found, "the copy is not what was found");
    let (mut child, _) = serve(&folder, &[]);
    assert_eq!(service.run("store stats --json").json()["epoch"], 2);
    child.kill().unwrap();
    wait(&mut child);
}

/// The files in a folder, and in those below it. What a socket was is none.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match (path.is_dir(), path.is_file()) {
            (true, _) => found.extend(
                files(&path)
                    .into_iter()
                    .map(|(name, bytes)| (Path::new(path.file_name().unwrap()).join(name), bytes)),
            ),
            (_, true) => {
                drop(found.insert(path.file_name().unwrap().into(), fs::read(&path).unwrap()))
            }
            _ => {}
        }
    }
    found
}

#[test]
fn what_is_damaged_is_named_with_an_exit_code() {
    let service = stopped();
    let folder = service.file("");
    let here = data(&folder, "data");
    let db = folder.join("data/database/db");
    let mut bytes = fs::read(&db).unwrap();
    let middle = 200;
    bytes[middle] ^= 0x10;
    fs::write(&db, &bytes).unwrap();
    let verified = service.run(&format!("store verify --data {here}"));
    let recovered = service.run(&format!("store recover --data {here} --yes"));
    let served = finish(
        program()
            .args(["serve", "--listen", "127.0.0.1:0", "--data", &here])
            .current_dir(&folder),
    );
    for ran in [verified, recovered, served] {
        assert_eq!(ran.code, 4, "{ran:?}");
        assert!(!ran.err.contains("panicked"), "{ran:?}");
        assert!(ran.err.contains(" next: "), "{ran:?}");
    }
    let missing = run(["store", "verify", "--data", &data(&folder, "nothing")]);
    refused(&missing, 4, &["nothing"]);
    assert!(!folder.join("nothing").exists(), "looking makes nothing");
}
