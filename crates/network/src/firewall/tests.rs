use super::*;

fn frame() -> Frame {
    Frame {
        tag: "0123abcd".to_owned(),
        subnet: "10.88.16.0/20".parse().unwrap(),
        gateway: Ipv4Addr::new(10, 88, 16, 1),
        denied: vec!["192.0.2.0/24".parse().unwrap()],
    }
}

fn member(last: u8, group: Option<&str>, host_address: [u8; 4]) -> Member {
    let port = PortBinding {
        container_port: 80,
        host_port: 8000 + u16::from(last),
        host_address: host_address.into(),
        protocol: PortProtocol::Tcp,
    };
    Member { address: Ipv4Addr::new(10, 88, 16, last), group: group.map(str::to_owned), ports: vec![port] }
}

fn model(members: &[Member]) -> Model {
    let mut model = Model::default();
    for member in members {
        model.add(member, Batch::new(Family::Inet, "t"));
    }
    model
}

#[test]
fn workloads_come_and_go_and_nothing_is_left() {
    let members =
        [member(2, Some("a"), [127, 0, 0, 1]), member(3, Some("a"), [0, 0, 0, 0]), member(4, None, [0, 0, 0, 0])];
    let mut model = model(&members);
    for member in &members {
        assert!(!model.remove(member, Batch::new(Family::Inet, "t")).is_empty());
        assert!(model.remove(member, Batch::new(Family::Inet, "t")).is_empty(), "twice");
    }
    assert_eq!(Model { last_group: 0, ..model }, Model::default());
}

#[test]
fn a_groups_name_is_never_part_of_the_tables_text() {
    let text = table::render(&frame(), &model(&[member(2, Some("}; flush ruleset; #"), [0, 0, 0, 0])]));
    assert!(!text.contains("flush"));
    assert!(text.contains("10.88.16.2 : jump group_1"));
    assert!(text.contains("tcp . 8002 : 10.88.16.2 . 80"));
}

#[test]
fn a_group_that_lost_all_its_members_gets_another_number_when_it_comes_again() {
    let one = member(2, Some("a"), [0, 0, 0, 0]);
    let mut model = model(std::slice::from_ref(&one));
    model.remove(&one, Batch::new(Family::Inet, "t"));
    model.add(&one, Batch::new(Family::Inet, "t"));
    assert_eq!(model.groups.values().copied().collect::<Vec<u32>>(), [2]);
}

#[test]
fn what_no_workload_may_reach_is_in_the_text() {
    let text = table::render(&frame(), &Model::default());
    for destination in ["127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "192.0.2.0/24"] {
        assert!(text.contains(destination), "{destination}");
    }
    assert!(!["LINKS", "SUBNET", "GATEWAY", "FLOWS"].iter().any(|word| text.contains(word)));
}
