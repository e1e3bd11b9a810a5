//! Batches of changes to nf_tables as the kernel takes them (`linux/netfilter/nf_tables.h`), for what changes with every workload: a
//! process that runs `nft` would cost a hundred times as much.

use std::net::Ipv4Addr;

const SUBSYSTEM: u16 = 10 << 8;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = SUBSYSTEM;
const DEL_TABLE: u16 = SUBSYSTEM | 2;
const NEW_CHAIN: u16 = SUBSYSTEM | 3;
const DEL_CHAIN: u16 = SUBSYSTEM | 5;
const NEW_RULE: u16 = SUBSYSTEM | 6;
const DEL_RULE: u16 = SUBSYSTEM | 8;
const NEW_SET: u16 = SUBSYSTEM | 9;
const DEL_SET: u16 = SUBSYSTEM | 11;
const NEW_ELEMENT: u16 = SUBSYSTEM | 12;
const DEL_ELEMENT: u16 = SUBSYSTEM | 14;

const REQUEST: u16 = 1;
const EXCL: u16 = 0x200;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

const NESTED: u16 = 0x8000;
/// Where a program of nf_tables keeps what it works on.
const REGISTER: u32 = 1;
/// `NFT_JUMP`.
const JUMP: i32 = -3;
/// `NF_ACCEPT`.
const ACCEPT: i32 = 1;

/// The families of tables that are used here.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Family {
    Inet = 1,
    Ip = 2,
}

/// Which header a rule looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Header {
    Network = 1,
    Transport = 2,
}

/// Attributes of a message.
#[derive(Debug, Default)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(4 + value.len()).expect("values are names, addresses and short rules");
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    fn nested(self, kind: u16, inner: Self) -> Self {
        self.bytes(kind | NESTED, &inner.0)
    }
}

/// What a rule does, step by step.
#[derive(Debug, Default)]
pub(crate) struct Rule(Attributes);

impl Rule {
    /// Goes on only if so many bytes of a header are these.
    pub(crate) fn equals(self, header: Header, offset: u32, value: &[u8]) -> Self {
        let length = u32::try_from(value.len()).expect("header fields are a few bytes");
        self.load(header, offset, length).step(
            "cmp",
            Attributes::default().number(1, REGISTER).number(2, 0).nested(3, Attributes::default().bytes(1, value)),
        )
    }

    /// Goes on only if so many bytes of a header are an element of a set.
    pub(crate) fn within(self, header: Header, offset: u32, length: u32, set: &str) -> Self {
        self.load(header, offset, length).step("lookup", Attributes::default().text(1, set).number(2, REGISTER))
    }

    /// Writes into the transport header; `checksum` says where its checksum is.
    pub(crate) fn write(self, offset: u32, value: &[u8], checksum: u32) -> Self {
        let length = u32::try_from(value.len()).expect("header fields are a few bytes");
        let value = Attributes::default().bytes(1, value);
        self.step("immediate", Attributes::default().number(1, REGISTER).nested(2, value)).step(
            "payload",
            Attributes::default()
                .number(5, REGISTER)
                .number(2, Header::Transport as u32)
                .number(3, offset)
                .number(4, length)
                .number(6, 1)
                .number(7, checksum),
        )
    }

    /// Lets the packet pass.
    pub(crate) fn accept(self) -> Self {
        let verdict = Attributes::default().nested(2, Attributes::default().bytes(1, &ACCEPT.to_be_bytes()));
        self.step("immediate", Attributes::default().number(1, 0).nested(2, verdict))
    }

    fn load(self, header: Header, offset: u32, length: u32) -> Self {
        self.step(
            "payload",
            Attributes::default().number(1, REGISTER).number(2, header as u32).number(3, offset).number(4, length),
        )
    }

    fn step(self, name: &str, data: Attributes) -> Self {
        Self(self.0.nested(1, Attributes::default().text(1, name).nested(2, data)))
    }
}

/// The value of an element of a map.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    /// It is of a set.
    None,
    /// Bytes.
    Bytes(&'a [u8]),
    /// On to a chain, and back if it decides nothing.
    Jump(&'a str),
}

/// Changes to one table, made all at once or not at all.
#[derive(Debug)]
pub(crate) struct Batch {
    family: Family,
    table: String,
    bytes: Vec<u8>,
    sets: u32,
}

impl Batch {
    /// No changes yet.
    pub(crate) fn new(family: Family, table: &str) -> Self {
        let mut batch = Self { family, table: table.to_owned(), bytes: Vec::new(), sets: 0 };
        batch.frame(BATCH_BEGIN, REQUEST, 0, SUBSYSTEM >> 8, &Attributes::default());
        batch
    }

    /// Makes the table.
    pub(crate) fn table(mut self) -> Self {
        let name = Attributes::default().text(1, &self.table);
        self.message(NEW_TABLE, CREATE, &name);
        self
    }

    /// Without the table, whether it was there or not. The kernel takes its time over what is removed, and the next one waits for it.
    pub(crate) fn without_table(mut self) -> Self {
        let name = Attributes::default().text(1, &self.table);
        self.message(NEW_TABLE, CREATE, &name);
        self.message(DEL_TABLE, 0, &name);
        self
    }

    /// A chain through which packets go that are sent from here (`NF_INET_LOCAL_OUT`).
    pub(crate) fn output_chain(mut self, name: &str, priority: i32) -> Self {
        let hook = Attributes::default().number(1, 3).bytes(2, &priority.to_be_bytes());
        let chain = self.own().text(3, name).nested(4, hook).text(7, "filter");
        self.message(NEW_CHAIN, CREATE, &chain);
        self
    }

    /// A chain that others lead to.
    pub(crate) fn chain(mut self, name: &str) -> Self {
        let chain = self.own().text(3, name);
        self.message(NEW_CHAIN, CREATE | EXCL, &chain);
        self
    }

    /// Without a chain and its rules.
    pub(crate) fn without_chain(mut self, name: &str) -> Self {
        let (rules, chain) = (self.own().text(2, name), self.own().text(3, name));
        self.message(DEL_RULE, 0, &rules);
        self.message(DEL_CHAIN, 0, &chain);
        self
    }

    /// A rule at a chain's end.
    pub(crate) fn rule(mut self, chain: &str, rule: Rule) -> Self {
        let rule = self.own().text(2, chain).nested(4, rule.0);
        self.message(NEW_RULE, CREATE | APPEND, &rule);
        self
    }

    /// An empty set of addresses. Its type (7) is what `nft` calls `ipv4_addr`.
    pub(crate) fn set_of_addresses(mut self, name: &str) -> Self {
        self.sets += 1;
        let set = self.own().text(2, name).number(3, 0).number(4, 7).number(5, 4).number(10, self.sets);
        self.message(NEW_SET, CREATE | EXCL, &set);
        self
    }

    /// Without a set.
    pub(crate) fn without_set(mut self, name: &str) -> Self {
        let set = self.own().text(2, name);
        self.message(DEL_SET, 0, &set);
        self
    }

    /// An element of a set or map.
    pub(crate) fn element(mut self, set: &str, key: &[u8], value: Value<'_>) -> Self {
        let element = self.list(set, key, value);
        self.message(NEW_ELEMENT, CREATE, &element);
        self
    }

    /// Without an element of a set or map.
    pub(crate) fn without_element(mut self, set: &str, key: &[u8], value: Value<'_>) -> Self {
        let element = self.list(set, key, value);
        self.message(DEL_ELEMENT, 0, &element);
        self
    }

    /// Whether nothing is changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() <= 20
    }

    /// The batch as the kernel takes it.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.frame(BATCH_END, REQUEST, 0, SUBSYSTEM >> 8, &Attributes::default());
        self.bytes
    }

    fn own(&self) -> Attributes {
        Attributes::default().text(1, &self.table)
    }

    fn list(&self, set: &str, key: &[u8], value: Value<'_>) -> Attributes {
        let element = Attributes::default().nested(1, Attributes::default().bytes(1, key));
        let element = match value {
            Value::None => element,
            Value::Bytes(bytes) => element.nested(2, Attributes::default().bytes(1, bytes)),
            Value::Jump(chain) => {
                let verdict = Attributes::default().bytes(1, &JUMP.to_be_bytes()).text(2, chain);
                element.nested(2, Attributes::default().nested(2, verdict))
            }
        };
        self.own().text(2, set).nested(3, Attributes::default().nested(1, element))
    }

    fn message(&mut self, kind: u16, flags: u16, attributes: &Attributes) {
        self.frame(kind, REQUEST | flags, self.family as u8, 0, attributes);
    }

    fn frame(&mut self, kind: u16, flags: u16, family: u8, resource: u16, attributes: &Attributes) {
        let length = u32::try_from(20 + attributes.0.len()).expect("attributes are bounded by 16 bits");
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend([0; 8]);
        self.bytes.extend([family, 0]);
        self.bytes.extend(resource.to_be_bytes());
        self.bytes.extend(&attributes.0);
    }
}

/// A key of several fields: each is padded to four bytes.
pub(crate) fn joined(fields: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(fields.len() * 4);
    for field in fields {
        key.extend(*field);
        key.resize(key.len().next_multiple_of(4), 0);
    }
    key
}

/// An address as a field.
pub(crate) fn address(address: Ipv4Addr) -> [u8; 4] {
    address.octets()
}
