//! The interface model as tables.
//!
//! Codegen writes one [`Schema`] a service; each codec walks it. The tables hold indexes instead of pointers: in a
//! static position-independent executable every pointer in constant data is patched at start, and each patched page is
//! private memory of every process that runs the binary, sandbox shims among them.

/// A piece of [`Schema::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    at: u32,
    length: u32,
}

impl Text {
    /// No text.
    pub const NONE: Self = Self { at: 0, length: 0 };

    /// `length` bytes from `at`.
    pub const fn new(at: u32, length: u32) -> Self {
        Self { at, length }
    }
}

/// The number of a shape in [`Schema::shapes`].
pub type ShapeId = u16;

/// What a shape is. The names are Smithy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Named members.
    Structure,
    /// A structure of which exactly one member is present.
    Union,
    /// Members of one shape, in order.
    List,
    /// Text keys to values of one shape.
    Map,
    /// Text.
    String,
    /// Text out of a closed set.
    Enum,
    /// True or false.
    Boolean,
    /// 32 bits, signed.
    Integer,
    /// 64 bits, signed.
    Long,
    /// Single precision on the wire, double here.
    Float,
    /// Double precision.
    Double,
    /// Bytes, base64 in every text protocol.
    Blob,
    /// An instant.
    Timestamp,
    /// Any JSON document.
    Document,
}

/// How an instant is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampFormat {
    /// The protocol decides.
    Unset,
    /// Seconds since the epoch, with a fraction.
    EpochSeconds,
    /// RFC 3339 in UTC.
    Iso8601,
    /// `Tue, 29 Apr 2014 18:30:38 GMT`.
    HttpDate,
}

/// Where in an HTTP request or answer a member stands, in the protocols that bind members to HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// In the body, beside the others that stand there.
    Body,
    /// It is the whole body.
    Payload,
    /// In the path.
    Label,
    /// In the query; a map is every parameter that no other member takes.
    Query,
    /// In a header.
    Header,
    /// In all headers whose names begin so: a map of what follows in their names.
    Headers,
    /// It is the status.
    Status,
}

/// Yes-or-no traits of shapes and members.
pub mod flag {
    /// The member must be there.
    pub const REQUIRED: u16 = 1;
    /// The list or map has no wrapping element on the wire.
    pub const FLATTENED: u16 = 2;
    /// The value must not be printed.
    pub const SENSITIVE: u16 = 4;
    /// The client fills the member with a fresh token when the caller gives none.
    pub const IDEMPOTENCY_TOKEN: u16 = 8;
    /// The structure is an error; in a stream of events it is the last.
    pub const EXCEPTION: u16 = 16;
    /// The member is an attribute of its structure's element in XML.
    pub const XML_ATTRIBUTE: u16 = 32;
    /// The member's bytes come and go as a stream: they are a [`crate::Content`].
    pub const STREAMING: u16 = 64;
}

/// One shape of the model.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    name: Text,
    kind: Kind,
    flags: u16,
    /// Where its members (structure, list, map) or its words (enum) begin, and how many there are.
    first: u32,
    count: u32,
    /// The regular expression that the whole text must match.
    pattern: Text,
    /// Bounds of the length or of the number; infinite where the model has none.
    min: f64,
    max: f64,
}

impl Shape {
    /// A shape with rows of its own: members or enum words.
    pub const fn rows(name: Text, kind: Kind, first: u32, count: u32) -> Self {
        Self { name, kind, flags: 0, first, count, pattern: Text::NONE, min: f64::NEG_INFINITY, max: f64::INFINITY }
    }

    /// A shape without rows.
    pub const fn simple(name: Text, kind: Kind) -> Self {
        Self::rows(name, kind, 0, 0)
    }

    /// Bounds of its length (text, list, map, blob) or value (numbers).
    #[must_use]
    pub const fn bounds(mut self, min: f64, max: f64) -> Self {
        self.min = min;
        self.max = max;
        self
    }

    /// The pattern that its text must match.
    #[must_use]
    pub const fn pattern(mut self, pattern: Text) -> Self {
        self.pattern = pattern;
        self
    }

    /// Its [`flag`]s.
    #[must_use]
    pub const fn flags(mut self, flags: u16) -> Self {
        self.flags = flags;
        self
    }
}

/// A member of a structure, or the element of a list, or the key or value of a map.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    name: Text,
    /// The name on the wire where it differs from `name`.
    wire_name: Text,
    shape: ShapeId,
    flags: u16,
    timestamp_format: TimestampFormat,
    location: Location,
}

impl Member {
    /// A member `name` of the shape numbered `shape`.
    pub const fn new(name: Text, shape: ShapeId) -> Self {
        Self {
            name,
            wire_name: Text::NONE,
            shape,
            flags: 0,
            timestamp_format: TimestampFormat::Unset,
            location: Location::Body,
        }
    }

    /// Its name on the wire.
    #[must_use]
    pub const fn on_wire(mut self, name: Text) -> Self {
        self.wire_name = name;
        self
    }

    /// Its [`flag`]s.
    #[must_use]
    pub const fn flags(mut self, flags: u16) -> Self {
        self.flags = flags;
        self
    }

    /// How its instant is written.
    #[must_use]
    pub const fn timestamp(mut self, format: TimestampFormat) -> Self {
        self.timestamp_format = format;
        self
    }

    /// Where it stands in HTTP.
    #[must_use]
    pub const fn at(mut self, location: Location) -> Self {
        self.location = location;
        self
    }
}

/// One service's shapes.
#[derive(Debug)]
pub struct Schema {
    /// Every name, one after the other.
    pub text: &'static str,
    /// The shapes, by [`ShapeId`].
    pub shapes: &'static [Shape],
    /// The rows of structures, lists and maps.
    pub members: &'static [Member],
    /// The rows of enums.
    pub words: &'static [Text],
}

impl Schema {
    /// The shape numbered `id`.
    pub fn shape(&'static self, id: ShapeId) -> ShapeRef {
        ShapeRef { schema: self, row: &self.shapes[usize::from(id)] }
    }

    /// The text that `piece` names.
    pub fn text(&self, piece: Text) -> &'static str {
        &self.text[piece.at as usize..(piece.at + piece.length) as usize]
    }
}

/// A shape together with the tables it points into.
#[derive(Debug, Clone, Copy)]
pub struct ShapeRef {
    schema: &'static Schema,
    row: &'static Shape,
}

impl ShapeRef {
    /// Its name in the model.
    pub fn name(self) -> &'static str {
        self.schema.text(self.row.name)
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        self.row.kind
    }

    /// Whether `flag` is set.
    pub fn has(self, flag: u16) -> bool {
        self.row.flags & flag != 0
    }

    /// Lower and upper bound, infinite where there is none.
    pub fn bounds(self) -> (f64, f64) {
        (self.row.min, self.row.max)
    }

    /// The pattern, if the model has one.
    pub fn pattern(self) -> Option<&'static str> {
        (self.row.pattern != Text::NONE).then(|| self.schema.text(self.row.pattern))
    }

    /// An enum's words.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let rows: &'static [Text] = match self.row.kind {
            Kind::Enum => &self.schema.words[self.range()],
            _ => &[],
        };
        rows.iter().map(move |word| self.schema.text(*word))
    }

    /// The number of members.
    pub fn len(self) -> usize {
        self.members_rows().len()
    }

    /// Whether a structure has no members.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The members in the model's order; a list has one (its element), a map two (key and value).
    pub fn members(self) -> impl Iterator<Item = MemberRef> {
        let schema = self.schema;
        self.members_rows().iter().map(move |row| MemberRef { schema, row })
    }

    /// The member at `index` of [`ShapeRef::members`].
    pub fn member(self, index: usize) -> MemberRef {
        MemberRef { schema: self.schema, row: &self.members_rows()[index] }
    }

    /// The place and the row of the member that is called `wire_name` on the wire.
    pub fn member_on_wire(self, wire_name: &str) -> Option<(usize, MemberRef)> {
        self.members().enumerate().find(|(_, member)| member.wire_name() == wire_name)
    }

    fn members_rows(self) -> &'static [Member] {
        match self.row.kind {
            Kind::Structure | Kind::Union | Kind::List | Kind::Map => &self.schema.members[self.range()],
            _ => &[],
        }
    }

    fn range(self) -> std::ops::Range<usize> {
        self.row.first as usize..(self.row.first + self.row.count) as usize
    }
}

/// A member together with the tables it points into.
#[derive(Debug, Clone, Copy)]
pub struct MemberRef {
    schema: &'static Schema,
    row: &'static Member,
}

impl MemberRef {
    /// Its name in the model.
    pub fn name(self) -> &'static str {
        self.schema.text(self.row.name)
    }

    /// Its name on the wire.
    pub fn wire_name(self) -> &'static str {
        if self.row.wire_name == Text::NONE { self.name() } else { self.schema.text(self.row.wire_name) }
    }

    /// Whether the model gives it a name of its own on the wire.
    pub fn has_wire_name(self) -> bool {
        self.row.wire_name != Text::NONE
    }

    /// Its shape.
    pub fn shape(self) -> ShapeRef {
        self.schema.shape(self.row.shape)
    }

    /// Whether `flag` is set on the member or on its shape.
    pub fn has(self, flag: u16) -> bool {
        self.row.flags & flag != 0 || self.shape().has(flag)
    }

    /// Where it stands in HTTP.
    pub fn location(self) -> Location {
        self.row.location
    }

    /// How its instant is written, `default` where the model leaves it to the protocol.
    pub fn timestamp_format(self, default: TimestampFormat) -> TimestampFormat {
        match self.row.timestamp_format {
            TimestampFormat::Unset => default,
            set => set,
        }
    }
}
