//! Questions that workloads ask the resolver, and what name servers say to them.

#![no_main]

use std::net::Ipv4Addr;

use libfuzzer_sys::fuzz_target;
use network::Question;

/// The longest name of DNS as it is written down.
const NAME_BYTES_MAX: usize = 253;
/// What a header takes.
const HEADER_BYTES: usize = 12;
/// More than are ever told.
const ADDRESSES: u8 = 20;
/// What an answer takes beside its question: a header, and 16 addresses of 16 bytes each.
const ANSWER_BYTES_MAX: usize = HEADER_BYTES + 16 * 16;

fuzz_target!(|packets: (&[u8], &[u8])| {
    let (asked, said) = packets;
    let question = match Question::parse(asked) {
        Ok(question) => question,
        Err(Some(refusal)) => {
            assert_eq!(
                (refusal.len(), &refusal[..2]),
                (HEADER_BYTES, &asked[..2]),
                "a refusal is a head of the same id"
            );
            return assert_eq!(Question::parse(&refusal), Err(None), "a refusal is taken for a question");
        }
        Err(None) => return,
    };
    assert!(question.name.len() <= NAME_BYTES_MAX && !question.name.bytes().any(|byte| byte.is_ascii_uppercase()));
    let addresses: Vec<Ipv4Addr> = (0..ADDRESSES).map(|last| Ipv4Addr::new(10, 88, 0, last)).collect();
    for answer in [question.answer(&addresses), question.answer(&[]), question.refuse(), question.fail()] {
        assert!(question.is_answered_by(&answer, question.id), "our own answer is none");
        assert!(!question.is_answered_by(&answer, !question.id), "another's answer is one");
        assert_eq!(Question::parse(&answer), Err(None), "an answer is taken for a question");
        assert!(answer.len() <= asked.len() + ANSWER_BYTES_MAX, "an answer is much longer than what it answers");
    }
    if question.is_answered_by(said, question.id) {
        assert_eq!(said[..2], asked[..2], "an answer to something else is one to this");
    }
});
