namespace Aries.Managed;

/// <summary>How the learning rate goes on after its warm-up.</summary>
public enum LearningRateDecay
{
    /// <summary>It stays.</summary>
    Constant = 0,

    /// <summary>It falls along a line, to 0 one step after the last.</summary>
    Linear = 1,

    /// <summary>It falls along half a cosine, to 0 one step after the last. Loshchilov and Hutter 2016, <see href="https://arxiv.org/abs/1608.03983"/>, Eq. 5, without restarts.</summary>
    Cosine = 2,
}
