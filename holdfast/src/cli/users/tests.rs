use std::os::unix::fs::PermissionsExt as _;

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Words {
    #[command(subcommand)]
    command: UsersCommand,
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("secrets")).unwrap();
        std::fs::write(folder.path().join("holdfast.toml"), "").unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, words: &[&str]) -> anyhow::Result<Outcome> {
        let config = self.path("holdfast.toml");
        let mut all = vec!["users"];
        all.extend(words);
        all.extend(["--config", config.to_str().unwrap()]);
        Words::try_parse_from(all)?.command.run()
    }

    fn directory(&self) -> Directory {
        users_file::read(&self.path("secrets/users.toml")).unwrap()
    }
}

#[test]
fn a_user_from_the_first_to_the_last_command() {
    let place = Place::new();
    place.run(&["add", "kim", "--role", "agent", "--agent", "kim", "--portal", "emea"]).unwrap();
    let file = place.path("secrets/users.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let scope = place.directory().user("kim").unwrap().scope().clone();
    assert!(scope.covers(Some("emea/de"), &["kim"]) && !scope.covers(Some("emea/de"), &["lee"]));

    place.run(&["password", "kim"]).unwrap();
    let made = place.path("secrets/kim.password");
    assert_eq!(std::fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o600);
    let password = std::fs::read_to_string(&made).unwrap();
    let check = |password: &str| place.directory().check_password("kim", password, Utc::now());
    assert_eq!(check(password.trim_end()).unwrap().role, Role::Agent);

    // What was made is not overwritten, and the password stays what it is.
    assert!(place.run(&["password", "kim"]).unwrap_err().to_string().contains("must not stand there before"));
    assert!(check(password.trim_end()).is_ok());

    let given = place.path("given");
    std::fs::write(&given, "correct horse battery\r\n").unwrap();
    place.run(&["password", "kim", "--password-file", given.to_str().unwrap()]).unwrap();
    assert!(check("correct horse battery").is_ok() && check(password.trim_end()).is_err());
    std::fs::write(&given, "two lines\nof a password").unwrap();
    assert!(place.run(&["password", "kim", "--password-file", given.to_str().unwrap()]).is_err());
    std::fs::write(&given, "short").unwrap();
    assert!(place.run(&["password", "kim", "--password-file", given.to_str().unwrap()]).is_err());

    place.run(&["disable", "kim"]).unwrap();
    assert!(check("correct horse battery").is_err());
    place.run(&["enable", "kim", "--json"]).unwrap();
    assert!(check("correct horse battery").is_ok());

    place.run(&["token", "add", "kim", "--name", "excel", "--expires-days", "30", "--json"]).unwrap();
    let id = place.directory().tokens().next().unwrap().id().to_owned();
    place.run(&["token", "list"]).unwrap();
    place.run(&["token", "revoke", &id]).unwrap();
    assert!(place.directory().tokens().next().unwrap().revoked_at().is_some());
    place.run(&["list", "--json"]).unwrap();
    place.run(&["remove", "kim"]).unwrap();
    assert_eq!((place.directory().users().count(), place.directory().tokens().count()), (0, 0));
}

#[test]
fn a_refused_change_leaves_the_file_as_it_was() {
    let place = Place::new();
    assert!(place.run(&["list"]).is_err(), "there is no file yet");
    place.run(&["add", "kim", "--role", "manager"]).unwrap();
    let before = std::fs::read(place.path("secrets/users.toml")).unwrap();
    for words in [
        &["add", "kim", "--role", "admin"][..],
        &["add", "lee", "--role", "agent"],
        &["add", "l e", "--role", "admin"],
        &["add", "lee", "--role", "manager", "--portal", "/a"],
        &["remove", "nobody"],
        &["disable", "nobody"],
        &["password", "nobody"],
        &["token", "add", "nobody", "--name", "n"],
        &["token", "add", "kim", "--name", "n", "--expires-days", "0"],
        &["token", "revoke", "0123456789abcdef"],
    ] {
        assert!(place.run(words).is_err(), "{words:?}");
        assert_eq!(std::fs::read(place.path("secrets/users.toml")).unwrap(), before, "{words:?}");
    }
    assert!(!place.path("secrets/nobody.password").exists());
}

#[test]
fn writers_at_the_same_time_lose_nothing() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let place = &place;
            scope.spawn(move || place.run(&["add", &format!("user-{number}"), "--role", "manager"]).unwrap());
        }
    });
    assert_eq!(place.directory().users().count(), 8);
}
