//! The key-encryption key with a program: the example of `deploy/`, and the real binary.

use std::path::Path;

use crate::service::{Service, Terms, countersign};

/// A service that began with a key file goes over to the program, and back. Its keys stay the same.
pub(crate) fn the_example_has_the_key(python: &Path) -> Result<(), String> {
    let mut service = Service::start(&Terms::default())?;
    let before = service.admin(&["key", "list", "--all"])?;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/key-program-example.py");
    let key = service.folder().join("program.key");
    let command = [python, &example, &key].map(|part| part.display().to_string());
    let configuration = service.folder().join("countersign.toml");
    let configuration = configuration.display().to_string();

    let first_file = format!("key_file = \"{}\"", service.folder().join("key").display());
    let with_program = format!("key_command = {command:?}");
    let second = service.folder().join("second.key").display().to_string();
    for (new, old_line, new_line) in [
        (
            ["--new-key-command", &command.join(",")],
            &first_file,
            &with_program,
        ),
        (
            ["--new-key-file", &second],
            &with_program,
            &format!("key_file = \"{second}\""),
        ),
    ] {
        service.restart_after(|| {
            let mut arguments = vec!["key", "rekey", "--yes", "--config", &configuration];
            arguments.extend(new);
            countersign(&arguments)?;
            let text = std::fs::read_to_string(&configuration).map_err(|e| e.to_string())?;
            std::fs::write(&configuration, text.replace(old_line, new_line))
                .map_err(|e| e.to_string())
        })?;
        let after = service.admin(&["key", "list", "--all"])?;
        if names(&after) != names(&before) {
            return Err(format!("other keys: {before} and {after}"));
        }
    }
    Ok(())
}

fn names(listed: &serde_json::Value) -> Vec<String> {
    let keys = listed["signing_keys"].as_array();
    let names = keys.into_iter().flatten().map(|key| key["kid"].to_string());
    names.collect()
}
