use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::limits::MAX_TEXT_BYTES;
use super::*;
use crate::{AuthenticationMethod, Denied, Principal, Randomness, Role, Rows, Scope};

const PASSWORD: &str = "correct horse battery";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

fn later(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

fn key() -> ProcessKey {
    ProcessKey::generate(&mut |bytes: &mut [u8]| {
        bytes.fill(7);
        Ok(())
    })
    .unwrap()
}

fn cheap(directory: Directory) -> Directory {
    directory.with_costs(Costs { password: Cost::MINIMUM, token: Cost::MINIMUM })
}

fn new_user(name: &str, role: Role) -> NewUser {
    let agents = (role == Role::Agent).then(|| BTreeSet::from([name.to_owned()]));
    NewUser { name: name.to_owned(), role, scope: Scope { portals: None, agents }, expires_at: None }
}

/// One user for each role, named like it, all with the same password.
fn directory() -> Directory {
    let mut directory = cheap(Directory::empty(key()));
    for role in Role::ALL {
        directory.add(new_user(role.name(), role), now()).unwrap();
        directory.set_password(role.name(), PASSWORD, now(), &mut SystemRandomness).unwrap();
    }
    directory
}

fn read_again(directory: &Directory) -> Directory {
    cheap(Directory::parse_with(&directory.to_toml(), key()).unwrap())
}

#[test]
fn a_password_authenticates_a_user_with_the_tiers_and_rows_of_the_role() {
    let directory = read_again(&directory());
    for role in Role::ALL {
        let principal = directory.check_password(role.name(), PASSWORD, now()).unwrap();
        assert_eq!((principal.role, principal.tiers.as_slice()), (role, role.tiers()));
        assert_eq!(principal.method, AuthenticationMethod::Password);
        match role {
            Role::Ingest => assert_eq!(principal.rows, Rows::None),
            Role::Agent => {
                assert!(principal.rows.covers(None, &["agent"]) && !principal.rows.covers(None, &["other"]));
            }
            _ => assert_eq!(principal.rows, Rows::All),
        }
    }
}

#[test]
fn wrong_secrets_and_unknown_disabled_or_expired_users_are_denied() {
    let mut directory = directory();
    let check = |directory: &Directory, user: &str, password: &str| directory.check_password(user, password, now());
    assert_eq!(check(&directory, "admin", "correct horse batterx"), Err(Denied::WrongSecret));
    assert_eq!(check(&directory, "admin", ""), Err(Denied::WrongSecret));
    assert_eq!(check(&directory, "Admin", PASSWORD), Err(Denied::Unknown));
    assert_eq!(check(&directory, "", PASSWORD), Err(Denied::Unknown));
    let long = "x".repeat(2000);
    assert!(matches!(check(&directory, "admin", &long), Err(Denied::TooLong { what: "the password", .. })));
    assert!(matches!(check(&directory, &long, PASSWORD), Err(Denied::TooLong { .. })));

    directory.add(new_user("tokens-only", Role::Manager), now()).unwrap();
    assert_eq!(check(&directory, "tokens-only", PASSWORD), Err(Denied::NoPassword));

    directory.set_disabled("admin", true).unwrap();
    let mut again = read_again(&directory);
    assert_eq!(check(&again, "admin", PASSWORD), Err(Denied::Disabled));
    // A caller without the password does not learn that the user is disabled.
    assert_eq!(check(&again, "admin", "another password"), Err(Denied::WrongSecret));
    assert_eq!(again.authenticate_after_scram("admin", now()), Err(Denied::Disabled));
    again.set_disabled("admin", false).unwrap();
    assert!(check(&again, "admin", PASSWORD).is_ok());
    assert_eq!(again.authenticate_after_scram("admin", now()).unwrap().method, AuthenticationMethod::Scram);

    let auditor = NewUser { expires_at: Some(later(60)), ..new_user("auditor", Role::Compliance) };
    again.add(auditor, now()).unwrap();
    again.set_password("auditor", PASSWORD, now(), &mut SystemRandomness).unwrap();
    assert!(again.check_password("auditor", PASSWORD, later(59)).is_ok());
    assert_eq!(again.check_password("auditor", PASSWORD, later(60)), Err(Denied::Expired));
}

#[test]
fn a_token_authenticates_its_user_until_it_is_revoked_or_expired() {
    let mut directory = directory();
    let expires = Some(later(100));
    let token = directory.issue_token("manager", "grafana", expires, now(), &mut SystemRandomness).unwrap();
    let other = directory.issue_token("manager", "excel", None, now(), &mut SystemRandomness).unwrap();
    let text = token.reveal().to_owned();
    let mut again = read_again(&directory);
    for _ in 0..2 {
        let principal = again.check_token(&text, now()).unwrap();
        assert_eq!((principal.user.as_str(), principal.role), ("manager", Role::Manager));
        assert_eq!(principal.method, AuthenticationMethod::Token { id: token.id().to_owned() });
        assert_eq!(again.reauthenticate(&principal, now()).as_ref(), Ok(&principal));
    }
    assert_eq!(again.check_token(&text, later(100)), Err(Denied::Expired));

    // The secret of one token with the id of the other.
    let mixed = text.replace(token.id(), other.id());
    assert_eq!(again.check_token(&mixed, now()), Err(Denied::WrongSecret));
    let unknown = text.replace(token.id(), "0123456789abcdef");
    assert_eq!(again.check_token(&unknown, now()), Err(Denied::UnknownToken));
    for malformed in ["", "hf_", "hf__", &text[..62], &text[1..], PASSWORD] {
        assert_eq!(again.check_token(malformed, now()), Err(Denied::MalformedToken), "{malformed}");
    }
    assert!(matches!(again.check_token(&text.repeat(3), now()), Err(Denied::TooLong { .. })));

    // The state is checked each time, also for a cached token.
    again.set_disabled("manager", true).unwrap();
    assert_eq!(again.check_token(&text, now()), Err(Denied::Disabled));
    again.set_disabled("manager", false).unwrap();
    let principal = again.check_token(&text, now()).unwrap();
    again.revoke_token(token.id(), now()).unwrap();
    assert_eq!(again.check_token(&text, now()), Err(Denied::TokenRevoked));
    assert_eq!(again.reauthenticate(&principal, now()), Err(Denied::TokenRevoked));
    assert_eq!(read_again(&again).check_token(&text, now()), Err(Denied::TokenRevoked));
    assert!(again.check_token(other.reveal(), now()).is_ok());

    assert_eq!(again.remove("manager").unwrap(), 2);
    assert_eq!(again.check_token(other.reveal(), now()), Err(Denied::UnknownToken));
}

#[test]
fn a_login_holds_until_its_user_password_or_rights_change() {
    let mut directory = directory();
    let auditor = NewUser { expires_at: Some(later(60)), ..new_user("auditor", Role::Compliance) };
    directory.add(auditor, now()).unwrap();
    directory.set_password("auditor", PASSWORD, now(), &mut SystemRandomness).unwrap();
    let scram = directory.login(directory.authenticate_after_scram("auditor", now()).unwrap());
    let password = directory.login(directory.check_password("auditor", PASSWORD, now()).unwrap());
    let token = directory.issue_token("auditor", "n", Some(later(30)), now(), &mut SystemRandomness).unwrap();
    let token = directory.login(directory.check_token(token.reveal(), now()).unwrap());
    // Each of the three logins, in the directory as a process reads it again.
    let check = |directory: &Directory, now| {
        let again = read_again(directory);
        [&scram, &password, &token].map(|login| again.check_login(login, now).err().map(|denied| denied.reason()))
    };
    assert_eq!(check(&directory, later(29)), [None; 3]);
    assert_eq!(check(&directory, later(30)), [None, None, Some("expired")]);
    assert_eq!(check(&directory, later(60)), [Some("expired"); 3]);

    directory.set_disabled("auditor", true).unwrap();
    assert_eq!(check(&directory, now()), [Some("disabled"); 3]);
    directory.set_disabled("auditor", false).unwrap();
    assert_eq!(check(&directory, now()), [None; 3]);

    let mut narrowed = read_again(&directory);
    narrowed.users.get_mut("auditor").unwrap().scope.portals = Some(BTreeSet::from(["emea".to_owned()]));
    assert_eq!(check(&narrowed, now()), [Some("rights_changed"); 3]);
    let mut demoted = read_again(&directory);
    demoted.users.get_mut("auditor").unwrap().role = Role::Manager;
    assert_eq!(check(&demoted, now()), [Some("rights_changed"); 3]);

    // Setting the same password within the same second is a change. A token does not depend on it.
    directory.set_password("auditor", PASSWORD, now(), &mut SystemRandomness).unwrap();
    assert_eq!(check(&directory, now()), [Some("password_changed"), Some("password_changed"), None]);

    directory.remove("auditor").unwrap();
    assert_eq!(check(&directory, now()), [Some("unknown_user"), Some("unknown_user"), Some("unknown_token")]);
}

#[test]
fn a_login_of_an_openid_user_holds_while_no_user_of_the_directory_has_the_name() {
    let mut directory = directory();
    let principal = Principal {
        method: AuthenticationMethod::Oidc { issuer: "https://id.example".to_owned() },
        ..Principal::local("ada", Vec::new())
    };
    let login = directory.login(principal);
    assert_eq!(directory.check_login(&login, now()), Ok(()));
    directory.add(new_user("ada", Role::Manager), now()).unwrap();
    assert_eq!(directory.check_login(&login, now()), Err(Denied::LocalName));
    // The commands of a machine have no account.
    let local = directory.login(Principal::local("ada", Vec::new()));
    assert_eq!(directory.check_login(&local, later(1_000_000)), Ok(()));
}

#[test]
fn only_a_verified_token_is_remembered() {
    let mut directory = directory();
    let token = directory.issue_token("manager", "n", None, now(), &mut SystemRandomness).unwrap();
    let text = token.reveal().to_owned();
    assert!(!directory.remembers_token(&text));
    let wrong = format!("{}A", &text[..text.len() - 1]);
    let _ = directory.check_token(&wrong, now());
    directory.check_token(&text, now()).unwrap();
    assert!(directory.remembers_token(&text) && !directory.remembers_token(&text.repeat(3)));
    assert!(wrong == text || !directory.remembers_token(&wrong));
    // Another file is another directory, which remembers nothing.
    assert!(!read_again(&directory).remembers_token(&text));
}

#[test]
fn a_verified_token_is_not_hashed_again() {
    let mut directory = directory();
    // Slow enough to differ from a lookup in memory on any machine.
    directory.costs.token = Cost { memory_kib: 32 * 1024, passes: 4, lanes: 1 };
    let token = directory.issue_token("manager", "n", None, now(), &mut SystemRandomness).unwrap();
    let timed = || {
        let begin = std::time::Instant::now();
        directory.check_token(token.reveal(), now()).unwrap();
        begin.elapsed()
    };
    let (first, second) = (timed(), timed());
    assert!(second * 10 < first, "{first:?}, {second:?}");
}

#[test]
fn scram_verifiers_do_not_show_which_users_exist() {
    let mut directory = directory();
    let real = directory.scram("manager").unwrap();
    let mock = directory.scram("nobody").unwrap();
    assert_eq!(mock.salt().len(), real.salt().len());
    assert_eq!(mock.iterations(), real.iterations());
    // The same each time and after reading again, and another for another name.
    let again = read_again(&directory);
    assert!(again.scram("nobody").unwrap() == mock && again.scram("manager").unwrap() == real);
    assert!(again.scram("nobody2").unwrap().salt() != mock.salt());
    // Without the process key it cannot be computed in advance.
    let other = ProcessKey::generate(&mut SystemRandomness).unwrap();
    let elsewhere = Directory::parse_with(&directory.to_toml(), other).unwrap();
    assert!(elsewhere.scram("nobody").unwrap().salt() != mock.salt());
    assert!(directory.scram(&"x".repeat(1000)).is_none());
    // A new password makes a new verifier.
    directory.set_password("manager", "another password", now(), &mut SystemRandomness).unwrap();
    assert!(directory.scram("manager").unwrap() != real);
}

#[test]
fn checking_an_unknown_user_takes_as_long_as_checking_a_known_one() {
    let mut directory = directory();
    directory.costs.password = Cost { memory_kib: 16 * 1024, passes: 2, lanes: 1 };
    directory.set_password("admin", PASSWORD, now(), &mut SystemRandomness).unwrap();
    directory.add(new_user("tokens-only", Role::Manager), now()).unwrap();
    let fastest = |user: &str| {
        (0..5)
            .map(|_| {
                let begin = std::time::Instant::now();
                directory.check_password(user, "wrong password", now()).unwrap_err();
                begin.elapsed()
            })
            .min()
            .unwrap()
    };
    let (known, unknown, without) = (fastest("admin"), fastest("nobody"), fastest("tokens-only"));
    for other in [unknown, without] {
        assert!(other * 2 > known && known * 2 > other, "{known:?} {unknown:?} {without:?}");
    }
}

#[test]
fn invalid_changes_change_nothing() {
    let mut directory = directory();
    let before = directory.to_toml();
    let randomness: &mut dyn Randomness = &mut SystemRandomness;
    let refusals = [
        directory.add(new_user("admin", Role::Manager), now()).unwrap_err(),
        directory.add(new_user("", Role::Manager), now()).unwrap_err(),
        directory.add(new_user("-x", Role::Manager), now()).unwrap_err(),
        directory.add(new_user("a b", Role::Manager), now()).unwrap_err(),
        directory.add(new_user(&"x".repeat(129), Role::Manager), now()).unwrap_err(),
        directory.add(NewUser { scope: Scope::default(), ..new_user("kim", Role::Agent) }, now()).unwrap_err(),
        directory.add(NewUser { expires_at: Some(now()), ..new_user("kim", Role::Admin) }, now()).unwrap_err(),
        directory.remove("nobody").unwrap_err(),
        directory.set_disabled("nobody", true).unwrap_err(),
        directory.set_password("nobody", PASSWORD, now(), randomness).unwrap_err(),
        directory.set_password("admin", "short", now(), randomness).unwrap_err(),
        directory.set_password("admin", &"x".repeat(1025), now(), randomness).unwrap_err(),
        directory.set_password("admin", "with a\nnew line", now(), randomness).unwrap_err(),
        directory.issue_token("nobody", "n", None, now(), randomness).unwrap_err(),
        directory.issue_token("admin", "", None, now(), randomness).unwrap_err(),
        directory.issue_token("admin", "n", Some(now()), now(), randomness).unwrap_err(),
        directory.revoke_token("0123456789abcdef", now()).unwrap_err(),
    ];
    let texts: BTreeSet<String> = refusals.iter().map(ToString::to_string).collect();
    assert!(texts.iter().all(|text| !text.is_empty()) && texts.len() > 8, "{texts:?}");
    assert_eq!(*directory.to_toml(), *before);
}

#[test]
fn broken_files_are_refused_with_the_line_and_without_a_secret() {
    let whole = directory().to_toml();
    let secret = whole.lines().find_map(|line| line.strip_prefix("password = ")).unwrap().to_owned();
    let refusal = |text: &str| Directory::parse_with(text, key()).unwrap_err().to_string();
    let user = |more: &str| format!("[[users]]\nname = \"kim\"\ncreated_at = \"2026-01-01T00:00:00Z\"\n{more}");

    assert_eq!(refusal(&user("role = \"boss\"\n")), format!("line 4: {}", crate::UnknownRole("boss".to_owned())));
    assert!(refusal(&user("role = \"admin\"\npasword = \"x\"\n")).starts_with("line 5: unknown field `pasword`"));
    let open = refusal(&user("role = \"admin\"\npassword = \"hunter2hunter2\"\n"));
    assert!(open.starts_with("line 5: ") && !open.contains("hunter2"), "{open}");
    let cut = refusal(&format!("{}\nrole = [", user(&format!("password = {secret}"))));
    assert!(!cut.contains("argon2id"), "{cut}");
    let half = refusal(&user(&format!("role = \"admin\"\npassword = {secret}\n")));
    assert!(half.contains("only some of"), "{half}");
    assert!(refusal(&user("role = \"agent\"\n")).contains("no agents"));
    assert!(refusal(&user("role = \"manager\"\nportals = []\n")).contains("list of portals is empty"));
    let manager = user("role = \"manager\"\n");
    assert!(refusal(&format!("{manager}{manager}")).contains("already"));
    assert!(refusal(&manager.replace("kim", "k i m")).contains("cannot be a user's name"));
    assert!(refusal(&manager.replace("2026-01-01T00:00:00Z", "yesterday")).starts_with("line 3: "));
    let token =
        "[[tokens]]\nid = \"0123456789abcdef\"\nname = \"n\"\nuser = \"lee\"\ncreated_at = \"2026-01-01T00:00:00Z\"\n";
    assert!(refusal(&format!("{manager}{token}secret = {secret}\n")).contains("who does not exist"));
    assert!(refusal(&" ".repeat(MAX_TEXT_BYTES + 1)).contains("at most"));
}

#[test]
fn debug_output_contains_no_secret() {
    let mut directory = directory();
    let token = directory.issue_token("admin", "n", None, now(), &mut SystemRandomness).unwrap();
    let text = directory.to_toml();
    let shown = format!("{directory:?} {:?} {:?}", directory.user("admin"), directory.tokens().next());
    assert!(!text.contains(PASSWORD) && !text.contains(token.secret()));
    for line in text.lines() {
        for name in ["password = ", "scram = ", "secret = "] {
            if let Some(value) = line.strip_prefix(name) {
                assert!(!shown.contains(value.trim_matches('"')), "{name}");
            }
        }
    }
    assert!(shown.contains("admin"));
}

#[derive(Debug, Clone)]
enum Change {
    Add(String, usize, Option<BTreeSet<String>>),
    Remove(String),
    Disable(String, bool),
    Password(String),
    Issue(String, String),
    Revoke(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let name = || "[a-c]";
    let portals = prop::option::of(prop::collection::btree_set("[a-b\"']{1,2}(/[a-b])?", 1..3));
    prop_oneof![
        (name(), 0..Role::ALL.len(), portals).prop_map(|(name, role, portals)| Change::Add(name, role, portals)),
        name().prop_map(Change::Remove),
        (name(), any::<bool>()).prop_map(|(name, is_disabled)| Change::Disable(name, is_disabled)),
        name().prop_map(Change::Password),
        (name(), "[ -~\u{e9}]{1,12}").prop_map(|(name, token)| Change::Issue(name, token)),
        (0..4usize).prop_map(Change::Revoke),
    ]
}

proptest! {
    #[test]
    fn a_directory_survives_writing_and_reading(changes in prop::collection::vec(change(), 0..24)) {
        let mut directory = cheap(Directory::empty(key()));
        for (second, change) in changes.into_iter().enumerate() {
            let now = later(second as i64);
            // A refused change must also leave a directory that can be read.
            match change {
                Change::Add(name, role, portals) => {
                    let mut user = new_user(&name, Role::ALL[role]);
                    user.scope.portals = portals;
                    user.expires_at = (second % 3 == 0).then(|| later(1000));
                    let _ = directory.add(user, now);
                }
                Change::Remove(name) => drop(directory.remove(&name)),
                Change::Disable(name, is_disabled) => drop(directory.set_disabled(&name, is_disabled)),
                Change::Password(name) => {
                    let _ = directory.set_password(&name, PASSWORD, now, &mut SystemRandomness);
                }
                Change::Issue(user, name) => {
                    let _ = directory.issue_token(&user, &name, None, now, &mut SystemRandomness);
                }
                Change::Revoke(number) => {
                    let id = directory.tokens().nth(number).map(|token| token.id().to_owned());
                    let _ = directory.revoke_token(&id.unwrap_or_default(), now);
                }
            }
        }
        let text = directory.to_toml();
        let read = Directory::parse_with(&text, key()).unwrap();
        prop_assert_eq!(&read.users, &directory.users);
        prop_assert_eq!(&read.tokens, &directory.tokens);
        prop_assert_eq!(&*read.to_toml(), &*text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(\\[\\[(users|tokens)\\]\\]\n)?[\\PC\n]{0,200}") {
        let _ = Directory::parse_with(&text, key());
    }
}
