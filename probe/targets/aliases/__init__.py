"""What a tunnel is called where its address must not be shown."""
