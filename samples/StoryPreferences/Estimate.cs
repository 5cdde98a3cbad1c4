using System.Globalization;

namespace StoryPreferences;

/// <summary>A mean over prompts, with its standard error.</summary>
internal readonly record struct Estimate(double Mean, double StandardError)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Mean:F3} ± {StandardError:F3}");
}
