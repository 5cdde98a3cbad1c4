namespace Aries;

/// <summary>The angles by which rotary position embedding turns pairs of coordinates from one position to the next.</summary>
internal static class RotaryFrequencies
{
    /// <summary>Computes fᵢ = θ^(−2i ÷ headSize), rescaled where the configuration says so.</summary>
    /// <returns>In radians a position. Shape [headSize / 2].</returns>
    public static double[] Of(LlamaConfig config)
    {
        double[] frequencies = new double[config.HeadSize / 2];
        for (int index = 0; index < frequencies.Length; index++)
        {
            double frequency = Math.Pow(config.RopeTheta, -2.0 * index / config.HeadSize);
            frequencies[index] = config.RopeScaling is null ? frequency : Rescale(frequency, config.RopeScaling);
        }

        return frequencies;
    }

    // As transformers' _compute_llama3_parameters: long waves slowed by the factor, short ones kept, those between blended.
    private static double Rescale(double frequency, Llama3RopeScaling scaling)
    {
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength < scaling.OriginalContextLength / scaling.HighFrequencyFactor)
        {
            return frequency;
        }

        if (wavelength > scaling.OriginalContextLength / scaling.LowFrequencyFactor)
        {
            return frequency / scaling.Factor;
        }

        double kept = ((scaling.OriginalContextLength / wavelength) - scaling.LowFrequencyFactor)
            / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
        return ((1 - kept) * frequency / scaling.Factor) + (kept * frequency);
    }
}
