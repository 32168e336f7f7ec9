"""What a start depends on, looked at one by one: facts are gathered, and pure functions judge them."""
