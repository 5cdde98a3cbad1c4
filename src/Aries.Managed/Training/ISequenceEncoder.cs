namespace Aries.Managed;

/// <summary>Turns a prompt and a response into the tokens that training scores.</summary>
internal interface ISequenceEncoder
{
    /// <summary>Encodes a prompt and its response, with one token at the beginning where the model has one, and one end token.</summary>
    TrainingSequence Encode(Prompt prompt, string response);
}
