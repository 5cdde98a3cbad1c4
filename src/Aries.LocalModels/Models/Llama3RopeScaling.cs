namespace Aries;

/// <summary>The rotary frequency rescaling that <c>rope_scaling.rope_type = "llama3"</c> names.</summary>
/// <param name="Factor">How much low frequencies are slowed down; 1 or more.</param>
/// <param name="LowFrequencyFactor">Wavelengths above original length ÷ this are slowed by the whole factor.</param>
/// <param name="HighFrequencyFactor">Wavelengths below original length ÷ this are kept; greater than <paramref name="LowFrequencyFactor"/>.</param>
/// <param name="OriginalContextLength">The context length of pre-training, in tokens.</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record Llama3RopeScaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalContextLength);
