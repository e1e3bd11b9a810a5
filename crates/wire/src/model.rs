//! A service as the wire knows it: its names, its protocols, its operations and its errors.

use crate::schema::{Schema, ShapeId, ShapeRef, Text};

/// A wire protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// JSON bodies, `X-Amz-Target`, `application/x-amz-json-1.0`.
    AwsJson10,
    /// JSON bodies, `X-Amz-Target`, `application/x-amz-json-1.1`.
    AwsJson11,
    /// Form bodies, XML answers.
    AwsQuery,
    /// CBOR bodies, service and operation in the path, `smithy-protocol: rpc-v2-cbor`.
    RpcV2Cbor,
    /// Members bound to path, query, headers and body; bodies in XML.
    RestXml,
    /// Members bound to path, query, headers and body; bodies in JSON.
    RestJson1,
}

impl Protocol {
    /// Whether members are bound to path, query, headers and body.
    pub fn is_rest(self) -> bool {
        matches!(self, Self::RestXml | Self::RestJson1)
    }
}

/// One service's model; the generated `MODEL` of its crate.
#[derive(Debug)]
pub struct ServiceModel {
    /// The service's name in the AWS CLI: `ecs`.
    pub name: &'static str,
    /// Its full name: `Amazon EC2 Container Service`.
    pub title: &'static str,
    /// `2014-11-13`.
    pub api_version: &'static str,
    /// The service in a signature's scope.
    pub signing_name: &'static str,
    /// What stands before the dot in `X-Amz-Target`.
    pub target_prefix: Option<&'static str>,
    /// The namespace of XML answers.
    pub xml_namespace: Option<&'static str>,
    /// The code of a constraint violation, where it is not the protocol's own.
    pub validation_error: Option<&'static str>,
    /// Whether clients that once spoke awsQuery still look for its error codes: the trait `awsQueryCompatible`.
    pub is_query_compatible: bool,
    /// Whether requests that nobody has signed come to its operations too, as anybody's.
    pub admits_anonymous: bool,
    /// The protocols that clients may speak.
    pub protocols: &'static [Protocol],
    /// The shapes that served operations reach.
    pub schema: &'static Schema,
    /// Every operation of the model, sorted by name.
    pub operations: &'static [Operation],
}

impl ServiceModel {
    /// The number of the operation called `name`, served or not.
    pub fn operation(&self, name: &str) -> Option<usize> {
        self.operations.binary_search_by(|operation| self.schema.text(operation.name).cmp(name)).ok()
    }

    /// The name of the operation numbered `operation`.
    pub fn operation_name(&self, operation: usize) -> &'static str {
        self.schema.text(self.operations[operation].name)
    }

    /// The shape of its input, if it takes one.
    pub fn input(&self, operation: usize) -> Option<ShapeRef> {
        self.operations[operation].input.map(|shape| self.schema.shape(shape))
    }

    /// The shape of its output, if it answers one.
    pub fn output(&self, operation: usize) -> Option<ShapeRef> {
        self.operations[operation].output.map(|shape| self.schema.shape(shape))
    }

    /// The union of the events that follow its output, if any do.
    pub fn events(&self, operation: usize) -> Option<ShapeRef> {
        self.operations[operation].events.map(|shape| self.schema.shape(shape))
    }

    /// The request that asks for it, in the protocols that bind members to HTTP.
    pub fn http(&self, operation: usize) -> Option<Http> {
        let row = &self.operations[operation];
        (row.uri != Text::NONE).then(|| Http {
            method: self.schema.text(row.method),
            uri: self.schema.text(row.uri),
            needs: self.schema.text(row.needs),
            status: row.status,
        })
    }

    /// The element that wraps its output in awsQuery; in restXml the name of its output's element.
    pub fn result_wrapper(&self, operation: usize) -> Option<&'static str> {
        let wrapper = self.operations[operation].wrapper;
        (wrapper != Text::NONE).then(|| self.schema.text(wrapper))
    }
}

/// How an operation is asked for in HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http {
    /// The method.
    pub method: &'static str,
    /// The path with `{Label}` and `{Greedy+}`, and what its query must hold: `/{Bucket}/{Key+}?uploads`.
    pub uri: &'static str,
    /// What its input cannot do without, apart from labels: `?uploadId x-amz-copy-source`, parameters with a question mark in
    /// front and headers without, in alphabetical order.
    pub needs: &'static str,
    /// The status of its answer.
    pub status: u16,
}

/// One row of [`ServiceModel::operations`].
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    name: Text,
    /// Whether Pilvi serves it.
    pub is_served: bool,
    /// Whether AWS takes it without a signature: its input says who asks.
    pub is_unsigned: bool,
    /// How long the body of its requests may be, in bytes, where that is more than others may have.
    pub body_bytes_max: Option<usize>,
    input: Option<ShapeId>,
    output: Option<ShapeId>,
    events: Option<ShapeId>,
    wrapper: Text,
    method: Text,
    uri: Text,
    needs: Text,
    status: u16,
}

impl Operation {
    /// An operation that is not served.
    pub const fn new(name: Text) -> Self {
        Self {
            name,
            is_served: false,
            is_unsigned: false,
            body_bytes_max: None,
            input: None,
            output: None,
            events: None,
            wrapper: Text::NONE,
            method: Text::NONE,
            uri: Text::NONE,
            needs: Text::NONE,
            status: 200,
        }
    }

    /// Marks it as served.
    #[must_use]
    pub const fn served(mut self) -> Self {
        self.is_served = true;
        self
    }

    /// Marks it as one that needs no signature.
    #[must_use]
    pub const fn unsigned(mut self) -> Self {
        self.is_unsigned = true;
        self
    }

    /// Lets the body of its requests be longer than others'.
    #[must_use]
    pub const fn body_bytes_max(mut self, bytes: usize) -> Self {
        self.body_bytes_max = Some(bytes);
        self
    }

    /// Its input's shape.
    #[must_use]
    pub const fn input(mut self, shape: ShapeId) -> Self {
        self.input = Some(shape);
        self
    }

    /// Its output's shape.
    #[must_use]
    pub const fn output(mut self, shape: ShapeId) -> Self {
        self.output = Some(shape);
        self
    }

    /// The union of the events that follow its output.
    #[must_use]
    pub const fn events(mut self, shape: ShapeId) -> Self {
        self.events = Some(shape);
        self
    }

    /// How it is asked for, and what its input cannot do without: see [`Http`].
    #[must_use]
    pub const fn http(mut self, method: Text, uri: Text, needs: Text) -> Self {
        (self.method, self.uri, self.needs) = (method, uri, needs);
        self
    }

    /// The status of its answer.
    #[must_use]
    pub const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The element that wraps its output in awsQuery, or the name of the element that it is in restXml.
    #[must_use]
    pub const fn wrapper(mut self, name: Text) -> Self {
        self.wrapper = name;
        self
    }
}

/// Where most errors keep their message.
pub(crate) const MESSAGE: &str = "message";

/// An error of the model: its code on the wire and its HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorKind {
    /// `ClusterNotFoundException` in awsJson, `NoSuchEntity` of a service that speaks awsQuery alone.
    pub code: &'static str,
    /// What awsQuery calls it, where the service speaks others beside it: `ResourceNotFound`.
    pub query_code: Option<&'static str>,
    /// The member of its message.
    pub message_member: &'static str,
    /// The HTTP status.
    pub status: u16,
}

impl ErrorKind {
    /// An error of this code and status.
    pub const fn new(code: &'static str, status: u16) -> Self {
        Self { code, query_code: None, message_member: MESSAGE, status }
    }

    /// What awsQuery calls it.
    #[must_use]
    pub const fn in_query(mut self, code: &'static str) -> Self {
        self.query_code = Some(code);
        self
    }

    /// The member of its message, where it is not `message`.
    #[must_use]
    pub const fn message_in(mut self, member: &'static str) -> Self {
        self.message_member = member;
        self
    }
}
