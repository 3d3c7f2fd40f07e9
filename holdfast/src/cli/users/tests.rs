use std::os::unix::fs::PermissionsExt as _;

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct TestArguments {
    #[command(subcommand)]
    command: UsersCommand,
}

struct Installation(tempfile::TempDir);

impl Installation {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("secrets")).unwrap();
        std::fs::write(folder.path().join("holdfast.toml"), "").unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<Outcome> {
        let config = self.path("holdfast.toml");
        let mut all = vec!["users"];
        all.extend(arguments);
        all.extend(["--config", config.to_str().unwrap()]);
        TestArguments::try_parse_from(all)?.command.run()
    }

    fn directory(&self) -> Directory {
        users_file::read(&self.path("secrets/users.toml")).unwrap()
    }
}

#[test]
fn each_command_changes_the_users_file() {
    let installation = Installation::new();
    installation.run(&["add", "kim", "--role", "agent", "--agent", "kim", "--portal", "emea"]).unwrap();
    let file = installation.path("secrets/users.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let scope = installation.directory().user("kim").unwrap().scope().clone();
    assert!(scope.covers(Some("emea/de"), &["kim"]) && !scope.covers(Some("emea/de"), &["lee"]));

    installation.run(&["password", "kim"]).unwrap();
    let generated = installation.path("secrets/kim.password");
    assert_eq!(std::fs::metadata(&generated).unwrap().permissions().mode() & 0o777, 0o600);
    let password = std::fs::read_to_string(&generated).unwrap();
    let check = |password: &str| installation.directory().check_password("kim", password, Utc::now());
    assert_eq!(check(password.trim_end()).unwrap().role, Role::Agent);

    // A generated password is not overwritten, and stays in force.
    assert!(installation.run(&["password", "kim"]).unwrap_err().to_string().contains("must not exist"));
    assert!(check(password.trim_end()).is_ok());

    let password_file = installation.path("password");
    std::fs::write(&password_file, "correct horse battery\r\n").unwrap();
    installation.run(&["password", "kim", "--password-file", password_file.to_str().unwrap()]).unwrap();
    assert!(check("correct horse battery").is_ok() && check(password.trim_end()).is_err());
    std::fs::write(&password_file, "two lines\nof a password").unwrap();
    assert!(installation.run(&["password", "kim", "--password-file", password_file.to_str().unwrap()]).is_err());
    std::fs::write(&password_file, "short").unwrap();
    assert!(installation.run(&["password", "kim", "--password-file", password_file.to_str().unwrap()]).is_err());

    installation.run(&["disable", "kim"]).unwrap();
    assert!(check("correct horse battery").is_err());
    installation.run(&["enable", "kim", "--json"]).unwrap();
    assert!(check("correct horse battery").is_ok());

    installation.run(&["token", "add", "kim", "--name", "excel", "--expires-days", "30", "--json"]).unwrap();
    let id = installation.directory().tokens().next().unwrap().id().to_owned();
    installation.run(&["token", "list"]).unwrap();
    installation.run(&["token", "revoke", &id]).unwrap();
    assert!(installation.directory().tokens().next().unwrap().revoked_at().is_some());
    installation.run(&["list", "--json"]).unwrap();
    installation.run(&["remove", "kim"]).unwrap();
    assert_eq!((installation.directory().users().count(), installation.directory().tokens().count()), (0, 0));
}

#[test]
fn a_refused_change_leaves_the_users_file_unchanged() {
    let installation = Installation::new();
    assert!(installation.run(&["list"]).is_err(), "there is no file yet");
    installation.run(&["add", "kim", "--role", "manager"]).unwrap();
    let before = std::fs::read(installation.path("secrets/users.toml")).unwrap();
    for arguments in [
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
        assert!(installation.run(arguments).is_err(), "{arguments:?}");
        assert_eq!(std::fs::read(installation.path("secrets/users.toml")).unwrap(), before, "{arguments:?}");
    }
    assert!(!installation.path("secrets/nobody.password").exists());
}

#[test]
fn concurrent_writers_lose_no_change() {
    let installation = Installation::new();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let installation = &installation;
            scope.spawn(move || installation.run(&["add", &format!("user-{number}"), "--role", "manager"]).unwrap());
        }
    });
    assert_eq!(installation.directory().users().count(), 8);
}
