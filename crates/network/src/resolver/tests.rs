use super::message::Question;
use super::*;

fn packet(name: &str, kind: u16, class: u16) -> Vec<u8> {
    let mut packet = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend(label.as_bytes());
    }
    packet.push(0);
    packet.extend(kind.to_be_bytes());
    packet.extend(class.to_be_bytes());
    packet
}

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 88, 0, last)
}

#[test]
fn a_question_is_read_in_lower_case() {
    assert_eq!(Question::parse(&packet("Web.Internal", 1, 1)).unwrap().name, "web.internal");
}

#[test]
fn what_is_no_question_is_not_answered() {
    let mut answer = packet("web", 1, 1);
    answer[2] |= 0x80;
    for packet in [&[][..], &[0; 11], &answer] {
        assert_eq!(Question::parse(packet), Err(None));
    }
}

#[test]
fn a_question_that_ends_early_is_a_format_error() {
    let whole = packet("web.internal", 1, 1);
    for length in 12..whole.len() {
        let refusal = Question::parse(&whole[..length]).unwrap_err().unwrap();
        assert_eq!((refusal.len(), refusal[3] & 0x0f), (12, 1), "{length}");
    }
}

#[test]
fn a_name_that_points_elsewhere_or_is_too_long_is_a_format_error() {
    let mut pointing = packet("web", 1, 1);
    pointing[12] = 0xc0;
    let long = packet(&vec!["a".repeat(63); 5].join("."), 1, 1);
    for packet in [pointing, long] {
        assert_eq!(Question::parse(&packet).unwrap_err().unwrap()[3] & 0x0f, 1);
    }
}

#[test]
fn the_longest_name_is_read_and_one_that_is_a_byte_longer_is_not() {
    let of_bytes = |bytes: usize| "a.".repeat(126) + &"a".repeat(bytes - 252);
    assert_eq!(Question::parse(&packet(&of_bytes(253), 1, 1)).unwrap().name.len(), 253);
    assert_eq!(Question::parse(&packet(&of_bytes(254), 1, 1)).unwrap_err().unwrap()[3] & 0x0f, 1);
}

#[test]
fn no_bytes_make_the_reader_fail() {
    let mut seed = 1_u32;
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..seed % 64)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                seed.to_be_bytes()[0]
            })
            .collect();
        let _ = Question::parse(&bytes);
        seed = seed.wrapping_add(1);
    }
}

#[test]
fn an_answer_has_the_question_and_every_address() {
    let question = Question::parse(&packet("web", 1, 1)).unwrap();
    let answer = question.answer(&[address(2), address(3)]);
    assert_eq!(answer[6..8], [0, 2]);
    assert!(question.is_answered_by(&answer, 0x1234) && !question.is_answered_by(&answer, 0x1235));
    assert!([2, 3].iter().all(|last| answer.windows(4).any(|four| four == address(*last).octets())));
}

#[test]
fn a_question_for_anything_but_addresses_is_answered_by_nothing() {
    let answer = Question::parse(&packet("web", 28, 1)).unwrap().answer(&[address(2)]);
    assert_eq!((answer[3] & 0x0f, &answer[6..8]), (0, &[0, 0][..]));
}

#[test]
fn an_answer_of_many_is_bounded() {
    let many: Vec<Ipv4Addr> = (0..200).map(address).collect();
    assert!(Question::parse(&packet("web", 1, 1)).unwrap().answer(&many).len() < 512);
}

#[test]
fn zones_servers_versions_and_everything_are_not_asked_for_elsewhere() {
    for (kind, class) in [(252, 1), (251, 1), (255, 1), (16, 3)] {
        assert!(!Question::parse(&packet("version.bind", kind, class)).unwrap().may_be_passed_on());
    }
    assert!(Question::parse(&packet("example.com", 28, 1)).unwrap().may_be_passed_on());
}

#[test]
fn another_questions_answer_is_none() {
    let question = Question::parse(&packet("web", 1, 1)).unwrap();
    let other = Question::parse(&packet("wob", 1, 1)).unwrap();
    assert!(!question.is_answered_by(&other.answer(&[address(2)]), 0x1234));
    assert!(!question.is_answered_by(&packet("web", 1, 1), 0x1234), "a question is no answer");
}

#[test]
fn a_name_is_found_in_its_own_group_alone_and_for_as_long_as_somebody_has_it() {
    let names = Names::default();
    let aliases = ["Web".to_owned()];
    names.add("a", &aliases, address(2));
    names.add("a", &aliases, address(3));
    assert_eq!(names.find("a", "web"), Some(vec![address(2), address(3)]));
    assert_eq!(names.find("b", "web"), None);
    names.remove("a", &aliases, address(2));
    names.remove("b", &aliases, address(3));
    assert_eq!(names.find("a", "web"), Some(vec![address(3)]));
    names.remove("a", &aliases, address(3));
    assert_eq!(names.find("a", "web"), None);
}

#[test]
fn the_hosts_name_servers_are_read() {
    let text = "# c\nsearch x\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 \nnameserver bad\nnameserver 1.1.1.1\nnameserver 2.2.2.2";
    let found: Vec<String> = upstream::servers(text).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["192.0.2.1:53", "[2001:db8::1]:53", "1.1.1.1:53"]);
    assert_eq!(upstream::servers("")[0].to_string(), "127.0.0.1:53");
}
