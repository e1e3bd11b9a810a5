//! What the kernel remembers of connections and datagrams (ctnetlink, `linux/netfilter/nfnetlink_conntrack.h`). Of an address that
//! somebody else is to have nothing may be remembered: what goes on by an old agreement would come to the wrong one.

use std::io;
use std::net::Ipv4Addr;

use crate::netlink::{self, Socket};

const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
const COUNT: u16 = 1 << 8 | 5;
/// `AF_INET`, and the version and resource of `nfgenmsg`, which mean nothing here.
const FAMILY: [u8; 4] = [2, 0, 0, 0];

const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
/// Within a tuple.
const TUPLE_ADDRESSES: u16 = 1;

/// Within the answer to [`COUNT`].
const ENTRIES: u16 = 1;

/// How many entries there are. An error says that the kernel cannot be asked about them at all.
pub(crate) fn count(socket: &mut Socket) -> io::Result<u32> {
    let answer = socket.one_raw(COUNT, &FAMILY)?;
    let mut attributes = netlink::attributes(answer.get(FAMILY.len()..).unwrap_or_default());
    let entries = attributes.find(|(kind, ..)| *kind == ENTRIES).and_then(|(_, value, _)| value.try_into().ok());
    entries.map(u32::from_be_bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Has the kernel forget everything about addresses that are over.
pub(crate) fn forget(socket: &mut Socket, is_over: impl Fn(Ipv4Addr) -> bool) -> io::Result<()> {
    if count(socket)? == 0 {
        return Ok(());
    }
    let mut found = Vec::new();
    socket.list_raw(GET, &FAMILY, |body| found.extend(name_if_of(body, &is_over)))?;
    for name in found {
        match socket.change_raw(DELETE, &[&FAMILY, name.as_slice()].concat()) {
            // It was over meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

/// What names an entry, if one of its ends is over.
fn name_if_of(body: &[u8], is_over: impl Fn(Ipv4Addr) -> bool) -> Option<Vec<u8>> {
    let attributes = body.get(FAMILY.len()..)?;
    let is_of = netlink::attributes(attributes)
        .filter(|(kind, ..)| matches!(*kind, ORIGINAL | REPLY))
        .flat_map(|(_, tuple, _)| netlink::attributes(tuple))
        .filter(|(kind, ..)| *kind == TUPLE_ADDRESSES)
        .flat_map(|(_, both, _)| netlink::attributes(both))
        .filter_map(|(_, address, _)| <[u8; 4]>::try_from(address).ok())
        .any(|address| is_over(address.into()));
    let name = netlink::attributes(attributes).filter(|(kind, ..)| matches!(*kind, ORIGINAL | ID | ZONE));
    is_of.then(|| name.flat_map(|(.., whole)| whole.to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        [&length.to_ne_bytes(), &kind.to_ne_bytes(), value].concat()
    }

    fn tuple(kind: u16, from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
        let both = [attribute(1, &from), attribute(2, &to)].concat();
        attribute(kind | 0x8000, &attribute(1 | 0x8000, &both))
    }

    #[test]
    fn an_entry_is_an_addresss_if_either_end_of_either_way_is() {
        let (mine, other) = ([10, 88, 0, 2], [192, 0, 2, 1]);
        let is_over = |address| address == Ipv4Addr::from(mine);
        for (original, reply, is) in [
            (tuple(1, mine, other), tuple(2, other, other), true),
            (tuple(1, other, other), tuple(2, mine, other), true),
            (tuple(1, other, other), tuple(2, other, other), false),
        ] {
            let id = attribute(12, &[1, 2, 3, 4]);
            let body = [&FAMILY[..], &original, &reply, &attribute(3, &[0; 4]), &id].concat();
            assert_eq!(name_if_of(&body, is_over), is.then(|| [original, id].concat()));
        }
    }

    #[test]
    fn what_is_cut_short_is_no_entry() {
        let body = [&FAMILY[..], &tuple(1, [10, 88, 0, 2], [0; 4])].concat();
        for length in 0..body.len() - 8 {
            assert_eq!(name_if_of(&body[..length], |address| address == Ipv4Addr::new(10, 88, 0, 2)), None, "{length}");
        }
    }
}
