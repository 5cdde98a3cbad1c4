namespace Aries.Managed;

/// <summary>Where the warm-up of the learning rate begins.</summary>
public enum WarmUpStart
{
    /// <summary>Step s of W, from 0, has (s + 1) ÷ W of the learning rate: every step learns.</summary>
    FirstFraction = 0,

    /// <summary>Step s of W, from 0, has s ÷ W of it, so the first step changes no weight: what the schedules of Hugging Face transformers do.</summary>
    Zero = 1,
}
