//! Secrets: from files, and never in anything that is shown.

use std::path::PathBuf;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;

/// A file with this text, in a folder that lives as long as the test.
fn secret_file(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn a_secret_comes_from_the_file_it_names_without_the_last_newline() {
    let (_folder, path) = secret_file(b"sixteen-letters-or-more\r\n");
    let secret = |config: Config| config.webhooks.secret.unwrap().expose_secret().to_owned();

    let in_file = load(&format!("[webhooks]\nsecret_file = {path:?}\n"), &[]).unwrap();
    assert_eq!(secret(in_file), "sixteen-letters-or-more");
    let in_variable = load("", &[("WEBHOOKS__SECRET_FILE", path.to_str().unwrap())]).unwrap();
    assert_eq!(secret(in_variable), "sixteen-letters-or-more");
}

#[test]
fn every_secret_can_be_given_as_a_file() {
    let (_folder, key) = secret_file(b"sixteen-letters-or-more\n");
    let (_folder_of_bytes, bytes) = secret_file(b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
    let text = format!(
        "[aurora]\napplication_id = \"app\"\napplication_key_file = {key:?}\n\
         [[aurora.tenants]]\nid = \"a\"\nkey_file = {key:?}\n\
         [webhooks]\nsecret_file = {key:?}\nprevious_secret_file = {key:?}\nbasic_user = \"u\"\nbasic_password_file = {key:?}\n\
         [[auth.api_keys]]\nname = \"crm\"\nkey_file = {key:?}\ntenants = [\"*\"]\nscopes = [\"read\"]\n\
         [store]\nencryption_key_file = {bytes:?}\nprevious_encryption_key_file = {bytes:?}\n\
         [sandbox]\napplication_key_file = {key:?}\n"
    );
    let config = load(&text, &[]).unwrap();
    assert_eq!(config.store.encryption_key.unwrap().expose_secret()[31], 31);
    assert_eq!(config.store.previous_encryption_key.unwrap().expose_secret()[31], 31);
    assert_eq!(config.auth.api_keys[0].digest, KeyDigest::of("sixteen-letters-or-more"));
    assert_eq!(config.sandbox.application_key.expose_secret(), "sixteen-letters-or-more");
}

#[test]
fn a_secret_given_twice_in_one_layer_is_refused() {
    let (_folder, path) = secret_file(b"from-a-file");
    assert_refused(
        &format!("[webhooks]\nsecret = \"here\"\nsecret_file = {path:?}\n"),
        "heliograph.toml:3: webhooks.secret_file: `secret` is given as well; keep one of them",
    );
    let env = [("WEBHOOKS__SECRET", "here"), ("WEBHOOKS__SECRET_FILE", path.to_str().unwrap())];
    let expected = "HELIOGRAPH_WEBHOOKS__SECRET_FILE: webhooks.secret_file: `secret` is given as well";
    assert!(problems_under("", &env)[0].starts_with(expected));
}

#[test]
fn the_environment_wins_over_the_file_in_either_form() {
    let (_folder, path) = secret_file(b"from-a-file");
    let secret = |text: &str, env: (&str, &str)| {
        load(text, &[env]).unwrap().webhooks.secret.unwrap().expose_secret().to_owned()
    };
    let by_path = format!("[webhooks]\nsecret_file = {path:?}\n");
    assert_eq!(secret(&by_path, ("WEBHOOKS__SECRET", "from-a-variable")), "from-a-variable");
    let plain = "[webhooks]\nsecret = \"from-the-toml\"\n";
    assert_eq!(secret(plain, ("WEBHOOKS__SECRET_FILE", path.to_str().unwrap())), "from-a-file");
}

#[test]
fn a_secrets_file_that_is_missing_empty_or_not_text_is_refused() {
    let refused = |path: &Path, reason: &str| {
        let expected = format!("heliograph.toml:2: webhooks.secret_file: {reason}");
        assert_refused(&format!("[webhooks]\nsecret_file = {path:?}\n"), &expected);
    };
    refused(Path::new("no/such/secret"), "the file it names cannot be read: No such file");
    let (_folder, empty) = secret_file(b"\n");
    refused(&empty, "is empty");
    let (_folder, bytes) = secret_file(b"\xff\xfe");
    refused(&bytes, "the file it names cannot be read: stream did not contain valid UTF-8");
}

#[test]
fn an_empty_secret_is_refused() {
    assert_refused("[webhooks]\nsecret = \"\"\n", "heliograph.toml:2: webhooks.secret: is empty");
    assert_variable_refused("WEBHOOKS__SECRET", "", "HELIOGRAPH_WEBHOOKS__SECRET: webhooks.secret: is empty");
}

#[test]
fn an_encryption_key_that_is_not_32_bytes_in_base64_is_refused() {
    for key in ["not base64!", "AAAA", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gIQ=="] {
        assert_refused(
            &format!("[store]\nencryption_key = \"{key}\"\n"),
            "heliograph.toml:2: store.encryption_key: must be 32 bytes in base64",
        );
    }
}

#[test]
fn a_secret_from_before_needs_the_one_that_takes_its_place() {
    assert_refused(
        "[store]\nprevious_encryption_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n",
        "heliograph.toml:2: store.previous_encryption_key: needs `store.encryption_key` beside it",
    );
    assert_refused(
        "[webhooks]\nprevious_secret = \"sixteen-letters-or-more\"\n",
        "heliograph.toml:2: webhooks.previous_secret: needs `webhooks.secret` beside it",
    );
}

#[test]
fn what_was_read_is_read_again_and_another_text_in_a_secrets_file_is_noticed() {
    let (folder, path) = secret_file(b"sixteen-letters-or-more");
    let secret = |config: &Config| config.webhooks.secret.clone().unwrap().expose_secret().to_owned();
    let config = load(&format!("[webhooks]\nsecret_file = {path:?}\n"), &[("LOG__LEVEL", "debug")]).unwrap();
    let digest = config.secret_files_digest();
    assert!(digest.is_some() && load("", &[]).unwrap().secret_files_digest().is_none());

    std::fs::write(&path, "sixteen-letters-or-MORE").unwrap();
    assert_ne!(config.secret_files_digest(), digest, "as long as before, and another");
    std::fs::write(&path, "sixteen-letters-or-more\n").unwrap();
    assert_eq!(config.secret_files_digest(), digest, "the newline at the end is no part of it");
    drop(folder);
    let missing = config.secret_files_digest();
    assert!(missing.is_some() && missing != digest);

    let (_folder, toml) = secret_file(b"[webhooks]\nheader = \"X-Before\"\n");
    let variable = ("HELIOGRAPH_WEBHOOKS__SECRET".to_owned(), "from-a-variable".to_owned());
    let config = Config::load(Some(&toml), [variable]).unwrap();
    std::fs::write(&toml, "[webhooks]\nheader = \"X-After\"\n").unwrap();
    let again = config.reload().unwrap();
    assert_eq!((secret(&again).as_str(), again.webhooks.header.as_str()), ("from-a-variable", "x-after"));
    std::fs::write(&toml, "[webhooks").unwrap();
    assert!(again.reload().is_err());
}

const MARK: &str = "MARKED-SECRET-MARKED-SECRET";

#[test]
fn no_secret_is_in_debug_or_among_the_settings() {
    let text = format!(
        "[aurora]\napplication_id = \"app\"\napplication_key = \"{MARK}1\"\n\
         [[aurora.tenants]]\nid = \"a\"\nkey = \"{MARK}2\"\n\
         [webhooks]\nsecret = \"{MARK}3\"\nprevious_secret = \"{MARK}7\"\nbasic_user = \"u\"\nbasic_password = \"{MARK}4\"\n\
         [[auth.api_keys]]\nname = \"crm\"\nkey = \"{MARK}5\"\ntenants = [\"*\"]\nscopes = [\"read\"]\n\
         [store]\nencryption_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n\
         [sandbox]\napplication_key = \"{MARK}6\"\n"
    );
    let config = load(&text, &[]).unwrap();
    let settings: Vec<_> = config.settings().iter().map(ToString::to_string).collect();
    let by_variable = load("", &[("WEBHOOKS__SECRET", MARK)]).unwrap();
    let shown = format!("{config:?} {config:#?} {settings:?} {:?} {by_variable:?}", config.warnings());
    assert!(!shown.contains(MARK), "{shown}");
    assert!(!shown.contains("AAECAwQF") && !shown.contains("0, 1, 2, 3, 4"), "{shown}");
    assert_eq!(settings.iter().filter(|it| it.contains(" = [redacted]")).count(), 8, "{settings:#?}");
}

#[test]
fn no_secret_is_in_the_words_of_a_syntax_error() {
    for line in
        ["= MARK", "= \"MARK", "MARK", "= \"MARK\" MARK", "= 'MARK", "= \"\\MARK\"", "= [MARK", "= {MARK"]
    {
        let text = format!("[webhooks]\nsecret {}\n", line.replace("MARK", MARK));
        let error = load(&text, &[]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(MARK), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands under a known key, a secret in the wrong place included.
    #[test]
    fn no_value_is_in_the_words_of_a_refusal(index: prop::sample::Index, decoration in "[ -~]{0,8}") {
        let keys = learn_keys(&defaults().unwrap());
        let plain: Vec<_> = keys
            .iter()
            .filter(|(key, kind)| {
                let leaf = matches!(kind, keys::Kind::Setting | keys::Kind::Secret | keys::Kind::List);
                leaf && !key.ends_with("_file")
            })
            .map(|(key, _)| keys::variable(key))
            .collect();
        let name = plain[index.index(plain.len())].clone();
        let loaded = Config::load(None, [(name, format!("{decoration}{MARK}"))]);
        if let Err(error) = loaded {
            prop_assert!(!format!("{error} {error:?}").contains(MARK), "{}", error);
        }
    }
}
