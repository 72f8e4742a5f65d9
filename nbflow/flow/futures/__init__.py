"""What a user holds: futures and their tasks; how they are found among arguments, and waited for."""
