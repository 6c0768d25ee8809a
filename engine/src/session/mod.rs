//! A client's session.

/// What a session command may reach.
pub struct Call<'s, 'e> {
    _session: std::marker::PhantomData<(&'s (), &'e ())>,
}
