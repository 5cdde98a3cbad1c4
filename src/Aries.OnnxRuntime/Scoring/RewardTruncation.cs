namespace Aries.OnnxRuntime;

/// <summary>What is done with a prompt and a response that are longer together than a reward model reads.</summary>
public enum RewardTruncation
{
    /// <summary>Nothing: the response gets no score, and the diagnostic says how long it is.</summary>
    None = 0,

    /// <summary>The oldest tokens are left out, so that the response and its end are read whole where they can be.</summary>
    Start,

    /// <summary>The newest tokens are left out, as Hugging Face's tokenizers do. The reward model does not see how the response ends.</summary>
    End,
}
