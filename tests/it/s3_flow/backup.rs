//! A backup holds the objects of its moment.
