"""What a Prefect server has to know: block types, the limit on renders, automations, the deployments, a worker."""
