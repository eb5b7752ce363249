//! `aemp gensecret`: the secret of a network.

use aemp::Value;
use clap::{ArgMatches, Command};

use crate::{
    Exit,
    failure::{Failure, Outcome},
    session::Session,
};

/// The length of a secret, as in the reference: about 1071 bits.
const SECRET_LENGTH: usize = 180;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(crate) fn secret_command() -> Command {
    Command::new("gensecret")
        .about("Make a random secret, and set it")
        .long_about(
            "Makes a secret of 180 random letters and digits (about 1071 bits) and sets it as `secret`, as `setsecret` \
             does. All nodes of a network need the same secret: copy it to the other hosts with `setsecret -`.",
        )
        .after_help("Example: make a secret, and show it\n  aemp gensecret showconfig --reveal")
}

pub(crate) fn gensecret(session: &mut Session, _matches: &ArgMatches) -> Outcome {
    let secret = random_text(SECRET_LENGTH)?;
    set(session, "secret", secret.into())?;
    let of = whose(session);
    session.output.note(&format!(
        "set a secret of {SECRET_LENGTH} random characters for {of}"
    ));
    Ok(Exit::Done)
}

pub(super) fn set(session: &mut Session, key: &str, value: Value) -> Result<(), Failure> {
    let profile = session.profile();
    let set = session.change()?.set(profile.as_deref(), key, value);
    Ok(set?)
}

pub(super) fn whose(session: &Session) -> String {
    match session.profile() {
        Some(profile) => format!("profile {profile:?}"),
        None => "all profiles".into(),
    }
}

/// Random letters and digits, with equal probabilities.
fn random_text(length: usize) -> Result<String, Failure> {
    let mut text = String::with_capacity(length);
    let mut octets = [0; 256];
    while text.len() < length {
        getrandom::fill(&mut octets)
            .map_err(|error| Failure::failed(format_args!("no entropy: {error}")))?;
        // 248 is the greatest multiple of 62 in an octet. Greater octets would make some characters more probable.
        let fair = octets.iter().filter(|&&octet| octet < 248);
        let chars = fair.map(|&octet| char::from(ALPHABET[usize::from(octet) % 62]));
        text.extend(chars.take(length - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_differ() {
        let (a, b) = (random_text(180).unwrap(), random_text(180).unwrap());
        assert_eq!(a.len(), 180);
        assert!(a.bytes().all(|octet| ALPHABET.contains(&octet)), "{a}");
        assert_ne!(a, b);
    }

    #[test]
    fn every_character_occurs() {
        let text = random_text(10_000).unwrap();
        for octet in ALPHABET {
            assert!(text.contains(char::from(*octet)), "{octet}");
        }
    }
}
