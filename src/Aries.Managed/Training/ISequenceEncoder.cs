namespace Aries.Managed;

/// <summary>Turns a prompt and a response into the tokens that training scores.</summary>
internal interface ISequenceEncoder
{
    /// <summary>Gets how many sequences had tokens that a merge over the boundary of prompt and response would have changed.</summary>
    long MovedBoundaryCount { get; }

    /// <summary>Encodes a prompt and its response, with one token at the beginning where the model has one, and one end token.</summary>
    TrainingSequence Encode(Prompt prompt, string response);
}
