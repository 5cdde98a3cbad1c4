namespace Aries.Preferences.Tests;

public class SmokeTests
{
    [Fact]
    public void Placeholder_Always_True() => Assert.True(true);
}
