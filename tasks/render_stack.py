"""The Prefect block that holds a stack, with its credentials."""

from __future__ import annotations

from prefect.blocks.core import Block
from prefect_aws import AwsCredentials
from pydantic import Field, model_validator

from tasks.stack import AwsStack, LocalStack, Stack


class RenderStack(Block):
    """
    Where renders run: this machine, or a stack on AWS.

    Example:
        Render on the stack that was saved as "production":
        ```python
        from tasks.render_stack import RenderStack

        stack = RenderStack.load("BLOCK_NAME").value()
        ```
    """

    _block_type_name = "Render Stack"
    _block_type_slug = "render-stack"
    _description = "Where renders run: this machine, or a bucket, a function and a state machine on AWS."

    # No discriminator: for one, Prefect's form has but a JSON editor, and for this a switch between two forms.
    where: LocalStack | AwsStack = Field(
        default_factory=LocalStack,
        title="Where",
        description="This machine (LocalStack), or a deployed stack (AwsStack).",
    )
    credentials: AwsCredentials | None = Field(
        None, title="AWS credentials", description="For aws: left out, they are those of the worker's environment."
    )

    @model_validator(mode="after")
    def _credentials_of_their_own(self) -> RenderStack:
        """A stack's value keeps its credentials out of every dump, so the block has to hold them."""
        if self.credentials is None and "credentials" in self.where.model_fields_set:
            self.credentials = getattr(self.where, "credentials", None)
        return self

    def value(self) -> Stack:
        """The stack, with its credentials."""
        if isinstance(self.where, LocalStack) or self.credentials is None:
            return self.where
        return self.where.model_copy(update={"credentials": self.credentials})
