use super::*;

const LIMITS: ThrottleLimits = ThrottleLimits {
    window: TimeDelta::seconds(60),
    per_user_and_address: 3,
    per_address: 5,
    per_user: 4,
    delay: TimeDelta::seconds(2),
    max_entries: 4,
};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000 + second, 0).unwrap()
}

fn address(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([192, 0, 2, last]))
}

#[test]
fn a_user_waits_at_an_address_until_the_oldest_failure_has_left_the_window() {
    let mut throttle = Throttle::new(LIMITS);
    for second in [0, 10, 20] {
        assert_eq!(throttle.attempt("kim", address(1), at(second)), Attempt::Allowed);
    }
    assert_eq!(throttle.attempt("kim", address(1), at(30)), Attempt::RetryAfter(Duration::from_secs(30)));
    // A refused attempt does not make the wait longer, and other users do not wait.
    assert_eq!(throttle.attempt("kim", address(1), at(59)), Attempt::RetryAfter(Duration::from_secs(1)));
    assert_eq!(throttle.attempt("lee", address(1), at(59)), Attempt::Allowed);
    assert_eq!(throttle.attempt("kim", address(1), at(60)), Attempt::Allowed);
    assert_eq!(throttle.attempt("kim", address(1), at(60)), Attempt::RetryAfter(Duration::from_secs(10)));
}

#[test]
fn nobody_locks_a_user_out_from_other_addresses() {
    let limits = ThrottleLimits { max_entries: 1000, ..LIMITS };
    let mut throttle = Throttle::new(limits);
    for last in 1..=200 {
        for _ in 0..3 {
            assert_eq!(throttle.attempt("kim", address(last), at(0)), Attempt::Allowed);
        }
    }
    assert_eq!(throttle.attempt("kim", address(250), at(1)), Attempt::Allowed);
    assert_eq!(throttle.attempt("kim", None, at(1)), Attempt::Allowed);
    // The 600 attempts of others delay the user by ten times two seconds, and not longer.
    assert_eq!(throttle.delay("kim", at(1)), Duration::from_secs(20));
    assert_eq!(throttle.delay("lee", at(1)), Duration::ZERO);
    assert_eq!(throttle.delay("kim", at(61)), Duration::ZERO);
}

#[test]
fn a_user_is_delayed_in_steps() {
    let limits = ThrottleLimits { max_entries: 1000, ..LIMITS };
    let mut throttle = Throttle::new(limits);
    for last in 0..=u8::MAX {
        let expected = (u64::from(last) / 4 * 2).min(20);
        assert_eq!(throttle.delay("kim", at(0)), Duration::from_secs(expected), "after {last} attempts");
        assert_eq!(throttle.attempt("kim", address(last), at(0)), Attempt::Allowed);
    }
    assert!(throttle.users.attempts["kim"].len() <= 40, "the list is bounded");
}

#[test]
fn an_address_waits_whatever_names_it_sends() {
    let mut throttle = Throttle::new(LIMITS);
    for user in ["a", "b", "c", "d", "e"] {
        assert_eq!(throttle.attempt(user, address(1), at(0)), Attempt::Allowed);
    }
    assert_eq!(throttle.attempt("f", address(1), at(1)), Attempt::RetryAfter(Duration::from_secs(59)));
    assert_eq!(throttle.attempt("f", address(2), at(1)), Attempt::Allowed);
}

#[test]
fn a_question_does_not_count() {
    let mut throttle = Throttle::new(LIMITS);
    for _ in 0..10 {
        assert_eq!(throttle.would_allow("kim", address(1), at(0)), Attempt::Allowed);
    }
    for _ in 0..3 {
        assert_eq!(throttle.attempt("kim", address(1), at(0)), Attempt::Allowed);
    }
    assert_eq!(throttle.would_allow("kim", address(1), at(0)), Attempt::RetryAfter(Duration::from_secs(60)));
}

#[test]
fn a_success_takes_back_its_own_attempt_and_no_other() {
    let mut throttle = Throttle::new(LIMITS);
    for second in [0, 1] {
        assert_eq!(throttle.attempt("kim", address(1), at(second)), Attempt::Allowed);
    }
    // Successes do not count, however many there are, and lower nothing.
    for second in 2..50 {
        assert_eq!(throttle.attempt("own", address(1), at(second)), Attempt::Allowed);
        throttle.succeeded("own", address(1), at(second));
    }
    // An attempt that was never counted takes nothing back: of another time, user or address.
    throttle.succeeded("own", address(1), at(50));
    throttle.succeeded("kim", address(1), at(50));
    throttle.succeeded("kim", address(2), at(0));
    assert_eq!(throttle.attempt("kim", address(1), at(50)), Attempt::Allowed);
    throttle.succeeded("kim", address(1), at(50));
    // Both failures of the user still count.
    assert_eq!(throttle.attempt("kim", address(1), at(51)), Attempt::Allowed);
    assert_eq!(throttle.attempt("kim", address(1), at(52)), Attempt::RetryAfter(Duration::from_secs(8)));
    // And so they do for the address, with two more.
    for user in ["lee", "max"] {
        assert_eq!(throttle.attempt(user, address(1), at(53)), Attempt::Allowed);
    }
    assert_eq!(throttle.attempt("new", address(1), at(54)), Attempt::RetryAfter(Duration::from_secs(6)));
}

#[test]
fn successes_of_others_do_not_hide_the_failures_of_an_address() {
    let mut throttle = Throttle::new(ThrottleLimits::default());
    let mut refused = 0;
    for number in 0..200 {
        let now = at(0) + TimeDelta::milliseconds(number);
        if throttle.attempt(&format!("nobody{number}"), address(1), now) != Attempt::Allowed {
            refused += 1;
        }
        // A password that is remembered succeeds without an attempt.
        throttle.succeeded("manager", address(1), now);
    }
    assert_eq!(refused, 150);
}

#[test]
fn the_addresses_of_one_ipv6_network_count_as_one() {
    let mut throttle = Throttle::new(LIMITS);
    for (number, user) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        let address = IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, number as u16]);
        assert_eq!(throttle.attempt(user, Some(address), at(0)), Attempt::Allowed);
    }
    let same = IpAddr::from([0x2001, 0xdb8, 0, 1, 9, 9, 9, 9]);
    assert!(matches!(throttle.attempt("f", Some(same), at(0)), Attempt::RetryAfter(_)));
    let other = IpAddr::from([0x2001, 0xdb8, 0, 2, 9, 9, 9, 9]);
    assert_eq!(throttle.attempt("f", Some(other), at(0)), Attempt::Allowed);
    // An IPv4 address inside IPv6 is that IPv4 address.
    assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), IpAddr::from([192, 0, 2, 1]));
}

#[test]
fn after_the_clock_is_set_back_a_user_waits_no_longer_than_the_window() {
    let mut throttle = Throttle::new(LIMITS);
    for _ in 0..3 {
        throttle.attempt("kim", None, at(100_000));
    }
    assert_eq!(throttle.attempt("kim", None, at(0)), Attempt::RetryAfter(Duration::from_secs(60)));
}

#[test]
fn memory_is_bounded_and_the_oldest_entry_is_evicted() {
    let mut throttle = Throttle::new(LIMITS);
    for second in 0..100 {
        throttle.attempt(&format!("user-{second}"), address(second as u8), at(second));
        throttle.attempt(&"x".repeat(1000 + second as usize), None, at(second));
    }
    let sizes = [throttle.users.attempts.len(), throttle.addresses.attempts.len(), throttle.pairs.attempts.len()];
    assert!(sizes.iter().all(|size| *size <= 4), "{sizes:?}");
    assert!(throttle.users.attempts.contains_key("user-99"));
}
