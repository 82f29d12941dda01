"""What people decide: registrations and transfers on hold, findings of a model."""
